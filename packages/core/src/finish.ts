import { canKeep, decode, encode, encodeError } from "./codec.ts";
import { warnOfEmptyRun } from "./empty-run.ts";
import { HoldfastError } from "./errors.ts";
import type { Failing } from "./ledger/entry.ts";
import type { Redactor } from "./redact.ts";
import type { Session } from "./session.ts";
import type { Leaving } from "./store/lease.ts";

/** How long a run that cannot go on here waits for its lease to be given back. */
const RELEASE_MS = 2_000;
/** How soon a run of the fleet looks again at an inline child that waits. */
const LOOK_AGAIN_MS = 5_000;

/** What is different about a run of the fleet: nobody waits for it in this process. */
export interface FleetEnds {
  /** What is made of an error of the work: another try, later; or, where that is undefined, the end of the run. */
  readonly failing: (error: unknown) => Failing | undefined;
}

/**
 * Does the work of a run that is this process', and writes its end. Gives back its value as a replay would. Rejects with
 * what stopped the run, or with what its work rejected with.
 */
export async function finish<T>(
  session: Session,
  work: () => T | PromiseLike<T>,
  redactor: Redactor,
  fleet?: FleetEnds,
): Promise<T> {
  let value: T;
  let kept: boolean;
  try {
    // It was told so before it came here: nothing of its work begins.
    if (session.cancelling !== undefined) await session.stopped;
    value = (await Promise.race([work(), session.stopped])) as T;
    await session.settled();
    await session.finishOpen();
    if (session.isEmpty) warnOfEmptyRun(session.runId);
    kept = canKeep(value);
    // Whoever waits for a run of the fleet has nothing else to read its value from.
    if (fleet && !kept) encode(value);
    if (!kept) await session.finishUnanswered();
  } catch (error) {
    throw await failed(session, error, redactor, fleet);
  }
  const encoded = kept ? encode(redactor.apply("value", value)) : undefined;
  try {
    await session.end({ kind: "outcome", status: "succeeded", kept, value: encoded });
  } catch (error) {
    session.stop(error);
    throw error;
  }
  return encoded === undefined ? value : (decode(encoded) as T);
}

/** What the caller is told: the control-flow error that stopped the run, or what its work rejected with. */
async function failed(
  session: Session,
  error: unknown,
  redactor: Redactor,
  fleet: FleetEnds | undefined,
): Promise<unknown> {
  await session.cancelling;
  const reason = session.stopError ? session.stopError.error : error;
  const end = endOf(session, reason, fleet !== undefined);
  try {
    if (end === "cancelled") {
      await session.end({ kind: "outcome", status: "cancelled", kept: false });
      return reason;
    }
    if (end === "failed") {
      if (!session.stopError) await session.settled();
      const failing = fleet?.failing(reason);
      if (failing) await session.leave({ failing });
      else {
        const value = encodeError(redactor.apply("error", reason));
        await session.end({ kind: "outcome", status: "failed", kept: true, value });
      }
      session.stop(reason);
      return reason;
    }
  } catch (failed) {
    session.stop(failed);
  }
  // An inline child waits, or somebody else works on it: nobody tells the parent when that is over, so it looks again.
  const looks = fleet && !session.stopError && HoldfastError.is(error);
  return await release(
    session,
    error,
    looks ? { waitingOn: "dependency", wakeInMs: LOOK_AGAIN_MS } : undefined,
  );
}

/** The run did not end: it cannot go on here. Its lease goes back, so that it can go on elsewhere. */
async function release(session: Session, error: unknown, leaving?: Leaving): Promise<unknown> {
  const reason = session.stopError ? session.stopError.error : error;
  if (!HoldfastError.is(reason, "RUN_WAITING") || !session.stopError) {
    const released = (leaving ? session.leave(leaving) : session.release()).catch(() => {});
    // A database that is away answers when it is back: whoever waits for the run is not kept waiting for that.
    let timer: NodeJS.Timeout | undefined;
    const bound = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, RELEASE_MS);
    });
    await Promise.race([released, bound]);
    clearTimeout(timer);
  }
  session.stop(reason);
  return reason;
}

/** Is this the end of the run, whatever stopped it? Undefined: it goes on elsewhere. */
function endOf(session: Session, reason: unknown, fleet: boolean): "cancelled" | "failed" | undefined {
  if (session.cancelling !== undefined) return "cancelled";
  const code = HoldfastError.is(reason) ? reason.code : undefined;
  if (!session.stopError)
    return code && (fleet ? CHILD_WAITS : ABOUT_THE_RUN).has(code) ? undefined : "failed";
  return code && (ENDS.has(code) || (fleet && ENDS_IN_THE_FLEET.has(code))) ? "failed" : undefined;
}

/** What stops a run for good. */
const ENDS = new Set<string>(["TOO_MANY_STEPS", "TIMED_OUT", "BUDGET_EXHAUSTED"]);

/** What a caller can mend and try again. A worker would try the same again: the run is a dead letter until it is mended. */
const ENDS_IN_THE_FLEET = new Set<string>(["DIVERGED", "DRIFTED", "INVALID_ARGUMENT", "LEDGER_CORRUPT"]);

const CHILD_WAITS = new Set<string>(["RUN_WAITING", "RUN_LEASED"]);

/** A child that waits, or a database that is away, says nothing about the work: it goes on when that is over. */
const ABOUT_THE_RUN = new Set<string>([
  ...CHILD_WAITS,
  "FENCED",
  "DIVERGED",
  "DRIFTED",
  "DATABASE_UNAVAILABLE",
]);
