import { type Effect, HoldfastError } from "@holdfast/core";
import type { Hold } from "./hold.ts";
import type { ModelRequest } from "./language-model.ts";

/** A tool as a model is told of it: a `function` comes back as a call to make; any other is known to the provider. */
interface RequestTool {
  readonly type: string;
  readonly name: string;
}

const toolsIn = ({ tools }: ModelRequest) => (tools ?? []) as readonly RequestTool[];

/**
 * Throws UNHELD_CALL where the model is told of a tool that was not bound to this call: the SDK would run it behind our
 * back. The run fails of it too, because a stream tells nobody who does not read it.
 */
export function refuseUnheldTools(hold: Hold, request: ModelRequest): void {
  const { bound, port } = hold;
  if (!bound) return;
  const unheld = toolsIn(request).find(({ type, name }) => type === "function" && !bound.has(name));
  if (!unheld) return;
  const why = "the model would be told of it, but it came by a way that is not known here";
  const refusal = new HoldfastError("UNHELD_CALL", { name: `The tool ${unheld.name}`, why });
  port.keep(Promise.reject(refusal));
  throw refusal;
}

/**
 * What a model call does besides answering: what the tools do that the provider runs on its way. Nobody here can tell
 * which of them did what before a crash, so the call is `once`, unless each of them is said to do no harm.
 */
export function effectOf(hold: Hold, request: ModelRequest): Effect | undefined {
  const { effects = {} } = ownOptions(request);
  return hostedIn(hold, request).every((name) => HARMLESS.includes(effects[name] ?? "once"))
    ? undefined
    : "once";
}

/** The tools that the provider may run on its way to an answer, by name. */
export const hostedIn = ({ bound }: Hold, request: ModelRequest): string[] =>
  toolsIn(request)
    .filter(({ type, name }) => type !== "function" && bound?.get(name)?.runs !== "here")
    .map(({ name }) => name);

const HARMLESS: readonly unknown[] = ["read", "idempotent"] satisfies Effect[];

/** What is said to us in `providerOptions.holdfast`. It is no part of what is asked, and no provider hears of it. */
interface OwnOptions {
  readonly effects?: Readonly<Record<string, unknown>> | undefined;
}

const ownOptions = ({ providerOptions }: ModelRequest): OwnOptions =>
  (providerOptions as { readonly holdfast?: OwnOptions } | undefined)?.holdfast ?? {};

export function withoutOwnOptions(request: ModelRequest): ModelRequest {
  const { holdfast, ...providerOptions } = (request.providerOptions ?? {}) as Record<string, unknown>;
  return holdfast === undefined ? request : { ...request, providerOptions };
}

/** What the model may put out to think, beyond its output cap: so Anthropic's provider reckons it. */
export function thinkingTokens({ providerOptions }: ModelRequest): number | undefined {
  const { anthropic, bedrock } = (providerOptions ?? {}) as Readonly<
    Record<string, ThinkingOptions | undefined>
  >;
  return anthropic?.thinking?.budgetTokens ?? bedrock?.reasoningConfig?.budgetTokens;
}

interface ThinkingOptions {
  readonly thinking?: { readonly budgetTokens?: number | undefined } | undefined;
  readonly reasoningConfig?: { readonly budgetTokens?: number | undefined } | undefined;
}
