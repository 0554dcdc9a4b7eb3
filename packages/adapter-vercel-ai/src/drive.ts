import type { Port } from "@holdfast/core";

/**
 * Drives a stream of the SDK to its end: it is the run's work, whether the client reads all of it, some, or goes away.
 * The run ends only when that is done.
 */
export function drive<T>(result: T, port: Port): T {
  // At once where the result is there: the client has not got hold of the stream yet.
  port.keep(result instanceof Promise ? result.then(readToEnd) : readToEnd(result));
  return result;
}

async function readToEnd(result: unknown): Promise<void> {
  if (canConsume(result)) await result.consumeStream({ onError() {} });
  else if (hasBaseStream(result)) await readBranch(result);
}

/** streamText. What it returns may be read any number of times. */
interface Consumable {
  consumeStream(options: { onError(): void }): PromiseLike<void>;
}

const canConsume = (result: unknown): result is Consumable =>
  typeof (result as Partial<Consumable>).consumeStream === "function";

/** streamObject. It may be read once, and that is for the client: we read a branch of what it reads from. */
interface Based {
  baseStream: ReadableStream<unknown>;
}

const hasBaseStream = (result: unknown): result is Based =>
  (result as Partial<Based>).baseStream instanceof ReadableStream;

async function readBranch(result: Based): Promise<void> {
  const [ours, theirs] = result.baseStream.tee();
  result.baseStream = theirs;
  for await (const _ of ours);
}
