import type { CallRow } from "./row.ts";

/** Around one call: the last entry that a fork shares with the run. */
export interface ForkPlaces {
  /** What came of the call is shared; undefined while nothing has. */
  readonly behind: number | undefined;
  /** The call is made anew. */
  readonly before: number | undefined;
}

/** `forkable` are the entries, in order, behind which the run can be forked. */
export function forkPlaces(forkable: readonly number[], { entries, state, to }: CallRow): ForkPlaces {
  const [first = 0, last = 0] = [entries[0]?.seq, entries.at(-1)?.seq];
  const isOver = to !== undefined && state !== "cut" && state !== "doubt";
  return {
    behind: isOver ? forkable.find((seq) => seq >= last) : undefined,
    before: forkable.findLast((seq) => seq < first),
  };
}
