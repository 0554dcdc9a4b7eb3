import { type Live, type Outlet, openOutlet } from "@holdfast/core";
import { slim } from "./answer.ts";
import type { Hold } from "./hold.ts";
import type { Part, Streamed } from "./language-model.ts";
import { unlessStopped } from "./stop.ts";
import { type Recording, Tape } from "./tape.ts";

/** The recorded stream, as a stream again. */
export function replay({ parts, rest }: Recording): Streamed {
  const left = parts.values();
  const stream = new ReadableStream<Part>({
    pull(controller) {
      const next = left.next();
      if (next.done) controller.close();
      else controller.enqueue(next.value);
    },
  });
  return { ...rest, stream };
}

/**
 * The live stream. Every part goes through as it comes, but the finish waits until the whole is on record. A reader
 * that goes away stops nothing: the answer is paid for, so it is read to its end and recorded.
 */
export function record(answer: Streamed, live: Live<Recording>, hold: Hold, modelId: string): Streamed {
  const rest = slim(answer);
  const outlet = openOutlet<Part>();
  const pumped = pump(answer.stream, outlet, new Tape({ live, hold, rest, modelId }));
  hold.port.keep(pumped);
  unlessStopped(hold, pumped).catch((error) => outlet.error(error));
  return { ...rest, stream: outlet.stream };
}

/** A loop of its own: `tee` and `pipeThrough` would stop reading with the reader. */
async function pump(source: ReadableStream<Part>, outlet: Outlet<Part>, tape: Tape): Promise<void> {
  const reader = source.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      for (const part of await tape.take(value)) outlet.enqueue(part);
    }
    await tape.breakOff(new Error("The model's stream ended without a finish."));
    outlet.close();
  } catch (error) {
    await tape.breakOff(error); // first: the SDK may try again as soon as it sees the error
    outlet.error(error);
    reader.cancel(error).catch(() => {}); // an answer that is too large is read no further
  }
}
