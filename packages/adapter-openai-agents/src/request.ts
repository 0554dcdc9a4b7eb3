import type { Effect } from "@holdfast/core";
import type { Hold } from "./hold.ts";
import type { ModelRequest, RequestTool } from "./sdk.ts";

/** What decides the answer. Not the signal, nor what the SDK passes for its own ends (`_internal`, `tracing`). */
const ASKED = [
  "systemInstructions",
  "prompt",
  "overridePromptModel",
  "input",
  "previousResponseId",
  "conversationId",
  "modelSettings",
  "tools",
  "toolsExplicitlyProvided",
  "handoffs",
  "outputType",
];

/** The request as it is recorded and digested. Streamed or whole, the question is the same. */
export function asked(request: ModelRequest): Readonly<Record<string, unknown>> {
  const fields: Record<string, unknown> = {};
  for (const field of ASKED) fields[field] = request[field];
  fields.modelSettings = settingsOf(request.modelSettings);
  fields.tools = request.tools?.map(withoutSecrets);
  return fields;
}

type Fields = Readonly<Record<string, unknown>>;

/** How often it is tried, for how long, and under which headers, decides nothing. */
function settingsOf(settings: Fields | undefined): Fields {
  const { providerData } = settings ?? {};
  const own = without(settings ?? {}, ["retry", "timeoutMs"]);
  if (!providerData) return own;
  return { ...own, providerData: without(providerData as Fields, ["extraHeaders", "extra_headers"]) };
}

/** What a hosted MCP server is signed in to with goes to the provider, and nowhere else. */
function withoutSecrets(tool: RequestTool): RequestTool {
  if (!tool.providerData) return tool;
  return { ...tool, providerData: without(tool.providerData, ["authorization", "headers"]) };
}

const without = (fields: Fields, names: readonly string[]): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name)));

/** The tools that a model may call and that run here. */
const LOCAL = ["function", "shell", "apply_patch", "computer"];

export const toolKey = ({ type, name }: Pick<RequestTool, "type" | "name">) => `${type} ${name}`;

/** A function tool that the model would be told of, and that was never held. */
export const unheldTool = ({ tools }: Hold, request: ModelRequest): RequestTool | undefined =>
  request.tools?.find((tool) => tool.type === "function" && !tools.has(toolKey(tool)));

/** By name: what a tool that the provider runs does. */
export type HostedEffects = Readonly<Record<string, Effect>>;

/** The tools that the provider may run on its way to the answer. A prompt that it keeps may bring some that are not seen here. */
export function hostedTools(hold: Hold | undefined, request: ModelRequest): string[] {
  const elsewhere = (request.tools ?? []).filter(
    (tool) => !LOCAL.includes(tool.type) || (hold && !hold.tools.has(toolKey(tool))),
  );
  return [...elsewhere.map(({ name }) => name), ...(request.prompt ? ["prompt"] : [])];
}

/**
 * What a model call does besides answering. Tools that the provider runs have acted by the time it answers, and a
 * conversation that the provider keeps has grown: nobody here can tell what of it a crash cut off, so the call is `once`,
 * unless each of these tools is said to do no harm.
 */
export function effectOf(
  { conversationId }: ModelRequest,
  tools: readonly string[],
  hosted: HostedEffects,
): Effect | undefined {
  if (conversationId !== undefined) return "once";
  return tools.every((name) => HARMLESS.includes(hosted[name] ?? "once")) ? undefined : "once";
}

const HARMLESS: readonly Effect[] = ["read", "idempotent"];

/** The most that the model may answer, in tokens, as the request has it. */
export function outputCap({ modelSettings }: ModelRequest): number | undefined {
  const { maxTokens } = (modelSettings ?? {}) as { readonly maxTokens?: number };
  return maxTokens;
}
