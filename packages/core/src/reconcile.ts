import { setTimeout as pause } from "node:timers/promises";
import { decode, encode } from "./codec.ts";
import { WEDGED_AFTER_LEASES } from "./heart.ts";
import type { Entry, Intent, Resolution } from "./ledger/entry.ts";
import type { Redactor } from "./redact.ts";
import type { Reconciled, ToolSettings } from "./settings.ts";
import type { Queryable } from "./store/database.ts";

/** How long a tool may take to say what became of a call. */
const ASKING_MS = 30_000;

// Until when could the call still go out? As long as the lease of the worker that intended it was good, and for a worker
// that lives on after it lost the run, until its loop must have turned once. Then its time limit runs. A worker that has
// closed has no row any more, and may have left the call under way: it is given a lease's time.
const LEFT = /* sql */ `
select extract(epoch from least(coalesce((select until from holdfast.workers where worker = $2),
                                         $1::timestamptz + make_interval(secs => $5)),
                                $1::timestamptz + make_interval(secs => $3))
                          + make_interval(secs => $4) - now())::float8 * 1000 as ms`;

/** A call that was left behind: by whom, and since when the run is not theirs. */
export interface Left {
  readonly intent: Entry<Intent>;
  readonly worker: number | undefined;
  readonly lost: Date;
}

/**
 * Asks the tool what became of a call in doubt. Undefined: it does not know, and a person has to say. "Not done" is
 * believed only once the lease that the call went out under and its time limit have both run out: until then the old
 * owner may yet make it. Then it is asked again.
 */
export async function reconcile(
  db: Queryable,
  { reconcile, timeoutMs = 0 }: ToolSettings,
  { intent, worker, lost }: Left,
  { leaseSeconds, redactor, signal }: { leaseSeconds: number; redactor: Redactor; signal: AbortSignal },
): Promise<Resolution | undefined> {
  if (!reconcile) return undefined;
  const input = (intent.value === undefined ? undefined : decode(intent.value)) as never;
  const { step, key } = intent;
  for (;;) {
    const said = await asked(() => reconcile({ key, input }), signal);
    if (typeof said === "object" && said !== null && "done" in said) {
      return {
        kind: "resolution",
        step,
        happened: true,
        by: "reconcile",
        value: encode(redactor.apply("output", said.done)),
      };
    }
    if (said !== "notDone") return undefined;
    const stall = leaseSeconds * WEDGED_AFTER_LEASES;
    const bounds = [lost, worker ?? null, stall, timeoutMs / 1000, leaseSeconds];
    const { rows } = await db.query<{ ms: number }>(LEFT, bounds);
    const leftMs = rows[0]?.ms ?? 0;
    if (leftMs <= 0) return { kind: "resolution", step, happened: false, by: "reconcile" };
    await pause(leftMs + 1, undefined, { signal });
  }
}

/** An answer that does not come, or is an error, is no answer. */
async function asked(
  ask: () => Reconciled | PromiseLike<Reconciled>,
  signal: AbortSignal,
): Promise<Reconciled> {
  const bound = AbortSignal.any([signal, AbortSignal.timeout(ASKING_MS)]);
  const over = new Promise<Reconciled>((resolve) => {
    bound.addEventListener("abort", () => resolve("unknown"), { once: true });
  });
  try {
    return await Promise.race([ask(), over]);
  } catch {
    return "unknown";
  }
}
