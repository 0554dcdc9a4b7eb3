import { HoldfastError } from "@holdfast/core";
import type { Hold } from "./hold.ts";
import type { LanguageModel } from "./language-model.ts";
import { holdModel } from "./model.ts";
import { holdTools, type Tools } from "./tools.ts";

/** What a function of the SDK is called with, or an agent is made of. */
export type Options = Readonly<Record<string, unknown>>;

/** The SDK's module, as far as it concerns us. */
export interface Sdk {
  readonly gateway?: Provider | undefined;
}

interface Provider {
  languageModel(id: string): LanguageModel;
}

type Hook = (...args: unknown[]) => Options | undefined | PromiseLike<Options | undefined>;

/** May choose another model, other tools, or both. */
const HOOKS = ["prepareStep", "experimental_prepareStep", "prepareCall"];

/** The same options, with what touches the outside bound to the call that they are for. */
export function bind(options: Options, hold: Hold, sdk: Sdk): Options {
  const bound: Record<string, unknown> = { ...options };
  if (options.model) bound.model = holdModel(resolve(options.model as string | LanguageModel, sdk), hold);
  if (options.tools) bound.tools = holdTools(options.tools as Tools, () => hold);
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
  const own = options.abortSignal as AbortSignal | undefined;
  return { ...bound, abortSignal: own ? AbortSignal.any([own, signal]) : signal };
}

function bindHook(hook: Hook, hold: Hold, sdk: Sdk): Hook {
  return async (...args) => {
    const chosen = await hold.port.enter(() => hook(...args));
    return chosen && bind(chosen, hold, sdk);
  };
}

/** A model named by its id is the default provider's, found the way the SDK finds it. */
function resolve(model: string | LanguageModel, sdk: Sdk): LanguageModel {
  if (typeof model !== "string") return model;
  const provider =
    (globalThis as { AI_SDK_DEFAULT_PROVIDER?: Provider }).AI_SDK_DEFAULT_PROVIDER ?? sdk.gateway;
  if (provider) return provider.languageModel(model);
  throw new HoldfastError("UNHELD_CALL", {
    name: model,
    why: "there is no provider to look this model up in",
  });
}
