import { current, HoldfastError, idempotencyKey } from "@holdfast/core";
import { type AgentClass, holdAgent } from "./agent.ts";
import { drive } from "./drive.ts";
import type { Hold } from "./hold.ts";
import { failLike, inLane } from "./lane.ts";
import { MARK } from "./mark.ts";
import { bindCall, bindOther, type Options, type Sdk, signalOf } from "./options.ts";

type Callable = (...args: never[]) => unknown;

/**
 * The same module. The model and tool calls that its functions and agents make are held by the run that they are made
 * in; outside a run they are what they were. Everything else is the module's own, looked up when it is used.
 */
export function withDurability<T extends { generateText: Callable; streamText: Callable }>(ai: T): T {
  if (MARK in ai) return ai;
  const sdk = ai as Sdk & Readonly<Record<string, unknown>>;
  const held: PropertyDescriptorMap = { [MARK]: { value: ai } };
  for (const name of Object.keys(sdk))
    held[name] = { enumerable: true, configurable: true, get: () => sdk[name] };
  for (const name of CALLS) {
    if (typeof sdk[name] === "function") held[name] = own(holdCall(name, sdk[name] as Call, sdk));
  }
  for (const [name, kinds] of Object.entries(OTHERS)) {
    if (typeof sdk[name] === "function") held[name] = own(holdOtherCall(name, sdk[name] as Call, sdk, kinds));
  }
  for (const name of UNHELD) {
    if (typeof sdk[name] === "function") held[name] = own(refuseInRun(name, sdk[name] as Callable));
  }
  // Two names may stand for one class, and do so from ai 6 on.
  const classes = new Map<unknown, AgentClass>();
  for (const name of AGENTS) {
    const Base = sdk[name];
    if (typeof Base !== "function") continue;
    const Held = classes.get(Base) ?? holdAgent(Base as AgentClass, sdk);
    classes.set(Base, Held);
    held[name] = own(Held);
  }
  return Object.create(null, held) as T; // every name of the module, with a value of the same type
}

const own = (value: unknown): PropertyDescriptor => ({
  value,
  enumerable: true,
  configurable: true,
  writable: true,
});

const AGENTS = ["ToolLoopAgent", "Experimental_Agent"];

const CALLS = ["generateText", "streamText", "generateObject", "streamObject"];

/** They return at once, and go on only while somebody reads. */
const STREAMS = ["streamText", "streamObject"];

/** Functions that ask one model of another kind, and what a provider finds it by. */
const OTHERS: Readonly<Record<string, readonly string[]>> = {
  embed: ["embeddingModel", "textEmbeddingModel"],
  embedMany: ["embeddingModel", "textEmbeddingModel"],
  generateImage: ["imageModel"],
  experimental_generateImage: ["imageModel"],
  generateSpeech: ["speechModel"],
  experimental_generateSpeech: ["speechModel"],
  transcribe: ["transcriptionModel"],
  experimental_transcribe: ["transcriptionModel"],
  rerank: ["rerankingModel"],
  experimental_generateVideo: ["videoModel"],
  experimental_decide: ["decisionModel", "evaluationModel"],
  experimental_evaluate: ["decisionModel", "evaluationModel"],
  experimental_extract: ["extractionModel"],
};

/** Functions that call out and that nothing here can hold. */
const UNHELD = [
  "uploadFile",
  "uploadSkill",
  "experimental_startBatch",
  "experimental_cancelBatch",
  "experimental_listBatches",
  "experimental_getBatchStatus",
  "experimental_getBatchResults",
  "experimental_startVideo",
  "experimental_getVideoStatus",
  "experimental_streamLanguageModelCall",
  "experimental_streamSpeech",
  "experimental_streamTextLowMemory",
  "experimental_streamTranscribe",
  "experimental_streamTranslate",
];

type Call = (options: Options) => unknown;

function holdCall(name: string, call: Call, sdk: Sdk): Call {
  const streams = STREAMS.includes(name);
  const bound = (options: Options, hold: Hold) => call(bindCall(options, hold, sdk));
  const held: Call = (options) => {
    const outside = () => call(options);
    const inside = (hold: Hold) =>
      streams ? drive(bound(options, hold), hold.port, signalOf(options)) : bound(options, hold);
    return failLike(call, () => inLane({ name, streams, outside, inside }));
  };
  return Object.defineProperty(held, "name", { value: call.name });
}

function holdOtherCall(name: string, call: Call, sdk: Sdk, kinds: readonly string[]): Call {
  const held: Call = (options) => {
    const outside = () => call(options);
    const inside = (hold: Hold) => call(bindOther(options, hold, sdk, kinds));
    return failLike(call, () => inLane({ name, streams: false, outside, inside }));
  };
  return Object.defineProperty(held, "name", { value: call.name });
}

/** Nothing that calls out goes by a run unseen. In a step or a tool it is part of what that does. */
function refuseInRun(name: string, call: Callable): Callable {
  const refused = (...args: never[]) => {
    if (current() && !inCall()) {
      const why = "no record is made of it: call it inside step(name, work)";
      throw new HoldfastError("UNHELD_CALL", { name, why });
    }
    return call(...args);
  };
  const told: Callable = (...args) => failLike(call, () => refused(...args));
  return Object.defineProperty(told, "name", { value: call.name });
}

/** Are we in the body of a step or a tool? Only there is a key to be asked for. */
function inCall(): boolean {
  try {
    return idempotencyKey() !== "";
  } catch {
    return false;
  }
}
