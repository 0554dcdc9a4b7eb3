import { HoldfastError } from "@holdfast/core";
import type { Hold } from "./hold.ts";
import type { LanguageModel } from "./language-model.ts";
import { holdModel } from "./model.ts";
import { holdOther, type OtherModel } from "./other-model.ts";
import { holdToolApproval } from "./own-approval.ts";
import { governedBy } from "./tool-schema.ts";
import { holdTools, type Tools } from "./tools.ts";

/** What a function of the SDK is called with, or an agent is made of. */
export type Options = Readonly<Record<string, unknown>>;

/** The SDK's module, as far as it concerns us. */
export interface Sdk {
  readonly gateway?: Provider | undefined;
}

/** Finds a model by its id. Which kinds there are, and what their methods are called, depends on the version. */
type Provider = Readonly<Record<string, ((id: string) => unknown) | undefined>>;

type Hook = (...args: unknown[]) => Options | undefined | PromiseLike<Options | undefined>;

/** May choose another model, other tools, or both. */
const HOOKS = ["prepareStep", "experimental_prepareStep", "prepareCall"];

/** The same options, with what touches the outside bound to the call that they are for. */
export function bind(options: Options, hold: Hold, sdk: Sdk): Options {
  const bound: Record<string, unknown> = { ...options };
  const named = (model: string | LanguageModel) => resolve(model, sdk, ["languageModel"]);
  if (options.model) bound.model = holdModel(named(options.model as string | LanguageModel), hold, named);
  if (options.tools) bound.tools = bindTools(options.tools as Tools, hold);
  if (options.toolApproval) bound.toolApproval = holdToolApproval(options.toolApproval, hold);
  for (const name of HOOKS) {
    if (typeof options[name] === "function") bound[name] = bindHook(options[name] as Hook, hold, sdk);
  }
  return bound;
}

/**
 * The same for what a call is made with. A stream is also aborted when its run stops. Other calls are not: the SDK would
 * tell their callbacks of an abort that is none of theirs.
 */
export function bindCall(options: Options, hold: Hold, sdk: Sdk): Options {
  const bound = bind(options, hold, sdk);
  if (!hold.streams) return bound;
  const { signal } = hold.port;
  const own = signalOf(options);
  return { ...bound, abortSignal: own ? AbortSignal.any([own, signal]) : signal };
}

/** The caller's own signal. */
export const signalOf = (options: Options) => options.abortSignal as AbortSignal | undefined;

function bindTools(tools: Tools, hold: Hold): Tools {
  for (const [name, tool] of Object.entries(tools)) {
    // Of a tool that only a provider knows, ai 7 says whether it is run there; before that it must have an `execute`.
    const isHere = typeof tool?.execute === "function" || tool?.isProviderExecuted === false;
    hold.bound?.set(name, { runs: isHere ? "here" : "elsewhere", ...governedBy(tool?.inputSchema) });
  }
  return holdTools(tools, () => hold);
}

function bindHook(hook: Hook, hold: Hold, sdk: Sdk): Hook {
  return async (...args) => {
    const chosen = await hold.port.enter(() => hook(...args));
    return chosen && bind(chosen, hold, sdk);
  };
}

/** The same for a function of the SDK that asks one model of another kind. `kinds`: what a provider finds it by. */
export function bindOther(options: Options, hold: Hold, sdk: Sdk, kinds: readonly string[]): Options {
  const model = resolve(options.model as string | OtherModel, sdk, kinds);
  return { ...options, model: holdOther(model, hold) };
}

/** A model named by its id is the default provider's, found the way the SDK finds it. */
function resolve<T extends object>(model: string | T, sdk: Sdk, kinds: readonly string[]): T {
  if (typeof model !== "string") return model;
  const provider =
    (globalThis as unknown as { AI_SDK_DEFAULT_PROVIDER?: Provider }).AI_SDK_DEFAULT_PROVIDER ?? sdk.gateway;
  for (const kind of kinds) if (typeof provider?.[kind] === "function") return provider[kind](model) as T;
  throw new HoldfastError("UNHELD_CALL", {
    name: model,
    why: "there is no provider to look this model up in",
  });
}
