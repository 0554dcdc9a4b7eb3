import { setTimeout as pause } from "node:timers/promises";
import { decode, encode } from "./codec.ts";
import type { Entry, Intent, Resolution } from "./ledger/entry.ts";
import type { Reconciled, ToolSettings } from "./settings.ts";
import type { Queryable } from "./store/database.ts";

/** How long a call may take that has no time limit, before "not done" is believed to stay so. */
const ASSUMED_CALL_MS = 60_000;
/** How long a tool may take to say what became of a call. */
const ASKING_MS = 30_000;

const AGE = /* sql */ `select extract(epoch from now() - $1::timestamptz)::float8 * 1000 as ms`;

/**
 * Asks the tool what became of a call in doubt. Undefined: it does not know, and a person has to say. "Not done" is
 * believed only once the lease that the call went out under and its time limit have both run out: until then the old
 * owner may yet make it. Then it is asked again.
 */
export async function reconcile(
  db: Queryable,
  { reconcile, timeoutMs = ASSUMED_CALL_MS }: ToolSettings,
  intent: Entry<Intent>,
  { leaseSeconds, signal }: { leaseSeconds: number; signal: AbortSignal },
): Promise<Resolution | undefined> {
  if (!reconcile) return undefined;
  const input = (intent.value === undefined ? undefined : decode(intent.value)) as never;
  for (;;) {
    const said = await asked(reconcile({ key: intent.key, input }), signal);
    const { step } = intent;
    if (typeof said === "object" && said !== null && "done" in said) {
      return { kind: "resolution", step, happened: true, by: "reconcile", value: encode(said.done) };
    }
    if (said !== "notDone") return undefined;
    const { rows } = await db.query<{ ms: number }>(AGE, [intent.at]);
    const leftMs = Math.max(leaseSeconds * 1000, timeoutMs) - (rows[0]?.ms ?? 0);
    if (leftMs <= 0) return { kind: "resolution", step, happened: false, by: "reconcile" };
    await pause(leftMs + 1, undefined, { signal });
  }
}

/** An answer that does not come, or is an error, is no answer. */
async function asked(answer: Reconciled | PromiseLike<Reconciled>, signal: AbortSignal): Promise<Reconciled> {
  const bound = AbortSignal.any([signal, AbortSignal.timeout(ASKING_MS)]);
  const over = new Promise<Reconciled>((resolve) => {
    bound.addEventListener("abort", () => resolve("unknown"), { once: true });
  });
  try {
    return await Promise.race([answer, over]);
  } catch {
    return "unknown";
  }
}
