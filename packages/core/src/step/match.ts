import type { Place } from "../ledger/replay.ts";

export interface Here {
  /** What the ledger holds of this lane and name, in order of n. */
  readonly recorded: readonly Place[];
  /** Places that this execution has taken: matched, finished, or held by an open call. */
  readonly taken: ReadonlySet<number>;
  /** Others of this lane and name that are open right now. */
  readonly open: number;
}

export type Match =
  | { readonly at: "record"; readonly n: number } // the same question at this place, or elsewhere in the lane
  | { readonly at: "drift"; readonly n: number } // another question at this place
  | { readonly at: "new"; readonly n: number } // never asked
  | { readonly at: "unclear" }; // several could be meant, and none fits

/**
 * Which recorded call is this? The same place and digest; else any unused record with the same digest (parallel calls
 * that began in another order); else the same place with another digest, which is drift, but only where order means
 * something: never between calls that were, or are, open together.
 */
export function matchPlace({ recorded, taken, open }: Here, digest: string): Match {
  let n = 0;
  while (taken.has(n)) n++;

  const here = recorded.find((place) => place.n === n);
  if (here?.digest === digest) return { at: "record", n };
  const same = recorded.find((place) => !taken.has(place.n) && place.digest === digest);
  if (same) return { at: "record", n: same.n };
  if (!here) return { at: "new", n };
  return open > 0 || here.parallel ? { at: "unclear" } : { at: "drift", n };
}

/**
 * Which recorded lane is this? The one with the same first digest; else the next in order, but only where there is
 * nothing to confuse: one open sibling, and none on record that overlapped another. Else it is unclear: never a guess.
 */
export function matchLane({ recorded, taken, open }: Here, digest: string): Match {
  const same = recorded.find((lane) => !taken.has(lane.n) && lane.digest === digest);
  if (same) return { at: "record", n: same.n };
  let n = 0;
  while (taken.has(n)) n++;
  // A number that the ledger does not have is a lane that began, and had nothing recorded before its process was gone.
  if (!recorded.some((lane) => lane.n === n)) return { at: "new", n };
  if (open > 0 || recorded.some((lane) => lane.parallel)) return { at: "unclear" };
  return { at: "drift", n };
}
