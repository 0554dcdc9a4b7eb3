import { type Limits, UNITS } from "./budget/amount.ts";
import { type Cap, limitsOf } from "./budget/cap.ts";
import { HoldfastError } from "./errors.ts";
import type { Command } from "./ledger/entry.ts";
import { replay } from "./ledger/replay.ts";
import type { Database } from "./store/database.ts";
import { readEntries } from "./store/ledger.ts";
import { writeOutside } from "./store/outside.ts";
import { mustGetHead } from "./store/runs.ts";

export interface Raise {
  /** The new cap of the run, not what is added to it: `usd(5)`, or `{ tokens: 100_000 }`. */
  readonly to: Cap;
  /** Who says so. */
  readonly by: string;
}

/** How often a command is tried against a ledger that others are writing to. */
const TRIES = 20;

/** Writes the command, and wakes the run if it is parked. `perRun` is the cap of a run that was started without one. */
export async function raiseBudget(
  db: Database,
  runId: string,
  { to, by }: Raise,
  perRun: Limits | undefined,
): Promise<void> {
  if (typeof by !== "string" || by === "") {
    throw new HoldfastError("INVALID_ARGUMENT", { argument: "by", why: "must name who says so" });
  }
  const raised = limitsOf("to", to);
  const refuse = (why: string) =>
    new HoldfastError("COMMAND_NOT_ALLOWED", { runId, command: "raise the budget of", why });
  for (let tries = 0; tries < TRIES; tries++) {
    const head = await mustGetHead(db, runId);
    if (["succeeded", "cancelled", "dead"].includes(head.status)) throw refuse(`it is ${head.status}`);
    const run = replay(await readEntries(db, head));
    const cap = run.tally.cap ?? perRun ?? {};
    const lower = UNITS.find((unit) => (raised[unit] ?? Infinity) < (cap[unit] ?? 0));
    if (lower) {
      const why = `would lower ${lower} from ${cap[lower]} to ${raised[lower]}: name the whole new cap`;
      throw new HoldfastError("INVALID_ARGUMENT", { argument: "to", why });
    }
    // The whole of it: a unit that is not named keeps its cap, also where that was never recorded.
    const fact: Command = { kind: "command", command: "raiseBudget", to: { ...cap, ...raised }, by };
    if (await writeOutside(db, head, run.seq, fact)) return;
  }
  throw refuse(`its ledger moved on ${TRIES} times meanwhile; try again`);
}
