import { encodeError } from "../codec.ts";
import type { Database } from "../store/database.ts";
import { forgetEnd, tellEnd, type Untold, untoldEnds } from "../store/dependencies.ts";

const MOST_AT_ONCE = 100;
/** A run that others write to all the time is told at the next look. */
const ROUNDS = 5;

/** What an end means for a run that waits for it. */
export type Telling =
  | { readonly at: "over" } // it has ended itself
  | { readonly at: "fails"; readonly why: string }
  | { readonly at: "told"; readonly wakes: boolean };

/** Tells runs the ends that they wait for. Several may do it at once: each end is told once. Gives back how many. */
export async function tellEnds(db: Database): Promise<number> {
  let told = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const untold = await untoldEnds(db, MOST_AT_ONCE);
    // Of one run's ends only the first can find it where it was seen.
    const firsts = untold.filter(({ run }, i) => untold[i - 1]?.run !== run);
    for (const end of firsts) if (await tell(db, end)) told++;
    if (untold.length === 0) break;
  }
  return told;
}

async function tell(db: Database, end: Untold): Promise<boolean> {
  const telling = tellingOf(end);
  if (telling.at === "over") {
    await forgetEnd(db, end);
    return false;
  }
  if (telling.at === "told") return await tellEnd(db, end, { wakes: telling.wakes, fails: undefined });
  return await tellEnd(db, end, { wakes: false, fails: encodeError(new Error(telling.why)) });
}

/** A run that has not begun begins once all it needs has ended; one that asked for a result goes on at once. */
export function tellingOf({
  status,
  waitingOn,
  onFailure,
  endedStatus,
  name,
  left,
}: Pick<Untold, "status" | "waitingOn" | "onFailure" | "endedStatus" | "name" | "left">): Telling {
  if (status === "succeeded" || status === "failed" || status === "cancelled" || status === "dead") {
    return { at: "over" };
  }
  if (onFailure === "fail" && endedStatus !== "succeeded") {
    return { at: "fails", why: `${name} ended as ${endedStatus}, and this run needs it to succeed` };
  }
  const isReady = onFailure === "tell" || left === 0;
  return { at: "told", wakes: isReady && status === "waiting" && waitingOn === "dependency" };
}
