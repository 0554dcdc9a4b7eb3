import { Readable } from "node:stream";
import { current, openOutlet, type Port } from "@holdfast/core";
import type { StreamedResult } from "./sdk.ts";

/**
 * Drives a streamed result to its end: that is the run's work, whether the client reads all of it, some, or goes away.
 * The run ends only when that is done. Who reads it, or awaits it, in the work of the run is told of its errors and may
 * deal with them; where nobody there does, the run fails with them.
 */
export function drive(result: StreamedResult, port: Port, own: AbortSignal | undefined): void {
  const outlet = openOutlet<unknown>();
  const [source, completed] = [result.toStream(), result.completed];
  let isInCharge = false;
  const look = <T>(value: T): T => {
    isInCharge ||= current()?.runId === port.runId;
    return value;
  };
  const driven = async () => {
    try {
      for await (const event of source) outlet.enqueue(event);
      await completed;
      outlet.close();
    } catch (error) {
      outlet.error(error);
      if (!isInCharge) throw error;
    }
    // An answer that its caller cut short is not whole.
    if (!port.signal.aborted) own?.throwIfAborted();
  };
  port.keep(driven());
  endWith(result, port);

  const stream = () => look(outlet.stream);
  Object.defineProperties(result, {
    completed: { configurable: true, get: () => look(completed) },
    toStream: { configurable: true, value: stream },
    toTextStream: {
      configurable: true,
      value: ({ compatibleWithNodeStreams = false } = {}) => {
        const texts = stream().pipeThrough(onlyText());
        return compatibleWithNodeStreams ? Readable.fromWeb(texts) : texts;
      },
    },
    [Symbol.asyncIterator]: { configurable: true, value: () => stream()[Symbol.asyncIterator]() },
  });
}

/** When the run stops, so does its stream, with what it stopped for. What it waits for inside stays pending. */
function endWith(result: StreamedResult, { signal }: Port): void {
  const end = () => result._raiseError(signal.reason);
  if (signal.aborted) end();
  else signal.addEventListener("abort", end, { once: true });
  const ended = () => signal.removeEventListener("abort", end);
  result.completed.then(ended, ended);
}

interface ModelEvent {
  readonly type: string;
  readonly data?: { readonly type: string; readonly delta?: string };
}

const onlyText = () =>
  new TransformStream<unknown, string>({
    transform(event, controller) {
      const { type, data } = event as ModelEvent;
      if (type === "raw_model_stream_event" && data?.type === "output_text_delta") {
        controller.enqueue(data.delta ?? "");
      }
    },
  });
