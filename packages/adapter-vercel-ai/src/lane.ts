import { current, outsideRun } from "@holdfast/core";
import { type Hold, holdOn } from "./hold.ts";

interface Calling<T> {
  readonly name: string;
  readonly streams: boolean;
  readonly outside: () => T;
  readonly inside: (hold: Hold) => T;
}

/** One call of the framework, in a lane of its own that is opened at once. Outside a run it is made as it is. */
export function inLane<T>({ name, streams, outside, inside }: Calling<T>): T {
  const port = current();
  if (port) return port.lane(name, () => inside(holdOn(current() ?? port, { streams })));
  outsideRun(name);
  return outside();
}

/** What goes wrong in `work` is told as `like` tells it: an async function throws nothing, it rejects. */
export function failLike<T>(like: unknown, work: () => T): T {
  if ((like as object).constructor.name !== "AsyncFunction") return work();
  try {
    return work();
  } catch (error) {
    return Promise.reject(error) as T;
  }
}
