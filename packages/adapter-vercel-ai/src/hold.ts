import { current, type Governed, type Port } from "@holdfast/core";

/**
 * What holds one call of the framework: the lane it was entered in. Model and tools are bound to it, so that they find
 * their run even where the async context was lost, and stay with their call where a deeper one is live.
 */
export interface Hold {
  readonly port: Port;
  /** Does the call return at once, and go on behind the stream that it gives? */
  readonly streams: boolean;
  /**
   * By tool call id: settles once the answer that asks for the call is on record, or never will be. The first releases
   * of ai 5 and 6 run a tool as soon as its call has streamed in, when a crash could still lose the answer it belongs to.
   */
  readonly answered: Map<string, Promise<void>>;
  /** The tools that were bound to the call, by name. Absent where nothing is bound: then nobody can say which there ought to be. */
  readonly bound?: Map<string, Bound>;
}

/** A tool that was bound to a call: who runs it, and what arguments it takes. */
export interface Bound extends Pick<Governed, "check" | "schema"> {
  /** Here, or by the client or the provider. */
  readonly runs: "here" | "elsewhere";
}

export const holdOn = (port: Port, { streams }: { streams: boolean }): Hold => ({
  port,
  streams,
  answered: new Map(),
  bound: new Map(),
});

/** For what was not bound to a call: the lane that the async context is in. */
export function currentHold(): Hold | undefined {
  const port = current();
  return port && { port, streams: false, answered: answeredIn(port.signal) };
}

/** A run has one signal, whatever the lane: a model and its tools may be called in different ones. */
const byRun = new WeakMap<AbortSignal, Hold["answered"]>();

function answeredIn(run: AbortSignal): Hold["answered"] {
  const known = byRun.get(run);
  if (known) return known;
  const answered: Hold["answered"] = new Map();
  byRun.set(run, answered);
  return answered;
}
