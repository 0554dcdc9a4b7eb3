import type { Context } from "hono";
import { streamSSE } from "hono/streaming";

export interface Told {
  readonly id: string;
  readonly data: unknown;
}

/** How often something is said, so that nothing in between takes the connection for dead. */
const KEEP_ALIVE_MS = 15_000;

/**
 * Tells what `events` gives as Server-Sent Events, each once its reader has taken the one before it, and then that it has
 * ended. A fault ends the stream without that: the reader connects again with the id of the last one it got.
 */
export function eventStream(c: Context, events: (signal: AbortSignal) => AsyncIterable<Told>): Response {
  c.header("x-accel-buffering", "no"); // a proxy that collects would make it late
  return streamSSE(c, async (stream) => {
    const gone = new AbortController();
    stream.onAbort(() => gone.abort());
    const keepAlive = setInterval(() => void stream.write(": still here\n\n"), KEEP_ALIVE_MS);
    try {
      await stream.write(": watching\n\n");
      for await (const { id, data } of events(gone.signal)) {
        await stream.writeSSE({ id, data: JSON.stringify(data) });
        if (stream.aborted) return;
      }
      if (!gone.signal.aborted) await stream.writeSSE({ event: "end", data: "" });
    } catch {
      // Whatever it was, the next request hears of it with a status of its own.
    } finally {
      clearInterval(keepAlive);
    }
  });
}
