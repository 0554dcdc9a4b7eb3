import type { Port } from "@holdfast/core";
import type { Part } from "./language-model.ts";

/**
 * Drives a stream of the SDK to its end: it is the run's work, whether the client reads all of it, some, or goes away.
 * The run ends only when that is done. A run whose caller aborted a stream (by `own`, or by the SDK's `timeout`) has no
 * whole answer: it fails with what the abort was for, and its id goes on.
 */
export function drive<T>(result: T, port: Port, own: AbortSignal | undefined): T {
  const driven = async (stream: unknown) => {
    const ending = await readToEnd(stream);
    if (ending !== "whole" && !port.signal.aborted) throwIfAborted(own, ending);
  };
  // At once where the result is there: the client has not got hold of the stream yet.
  // Of a promise that rejects its caller hears anyway.
  port.keep(result instanceof Promise ? result.then(driven, () => {}) : driven(result));
  return result;
}

function throwIfAborted(own: AbortSignal | undefined, ending: "aborted" | "broken"): void {
  own?.throwIfAborted();
  if (ending === "aborted") throw new DOMException("The stream was aborted.", "AbortError");
}

async function readToEnd(result: unknown): Promise<"whole" | "aborted" | "broken"> {
  const ended = new Set<string>();
  try {
    for await (const { type } of branchOf(result)) ended.add(type);
  } catch {
    return "broken"; // whoever reads the stream is told
  }
  if (ended.has("finish") && !ended.has("error")) return "whole";
  return ended.has("abort") ? "aborted" : "broken";
}

function branchOf(result: unknown): AsyncIterable<Part> {
  if (isTee(result)) return result.fullStream;
  return hasBaseStream(result) ? ourBranch(result) : nothing();
}

/** streamText. What it returns may be read any number of times. */
interface Tee {
  readonly fullStream: AsyncIterable<Part>;
  consumeStream(): PromiseLike<void>;
}

const isTee = (result: unknown): result is Tee =>
  typeof (result as Partial<Tee>).consumeStream === "function";

/** streamObject. It may be read once, and that is for the client: we read a branch of what it reads from. */
interface Based {
  baseStream: ReadableStream<Part>;
}

const hasBaseStream = (result: unknown): result is Based =>
  (result as Partial<Based>).baseStream instanceof ReadableStream;

function ourBranch(result: Based): ReadableStream<Part> {
  const [ours, theirs] = result.baseStream.tee();
  result.baseStream = theirs;
  return ours;
}

async function* nothing(): AsyncGenerator<never> {}
