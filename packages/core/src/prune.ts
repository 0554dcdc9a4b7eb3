import { checkBy } from "./by.ts";
import { secondsOf } from "./duration.ts";
import { check } from "./options.ts";
import type { RunStatus } from "./run/status.ts";
import { forgetWindows } from "./store/budgets.ts";
import type { Database } from "./store/database.ts";
import { pruneRuns } from "./store/retention.ts";

const ENDED: readonly RunStatus[] = ["succeeded", "failed", "cancelled", "dead"];

/** Which runs are forgotten: see `Holdfast.prune`. */
export interface Pruning {
  olderThan: string | number;
  status?: readonly RunStatus[];
  /** Who forgets them: it stands in the audit. Default `hf.prune`. */
  by?: string;
}

/** Forgets runs that ended so long ago, and windows of shared budgets. Gives back how many runs. */
export async function prune(
  db: () => Promise<Database>,
  { olderThan, status = ENDED, by = "hf.prune" }: Pruning,
): Promise<number> {
  const seconds = secondsOf("olderThan", olderThan);
  const bad = status.find((each) => !ENDED.includes(each));
  check(
    "status",
    bad === undefined,
    `must be among ${ENDED.join(", ")}: only a run that has ended is pruned`,
  );
  checkBy(by);
  const opened = await db();
  await forgetWindows(opened, seconds);
  return await pruneRuns(opened, seconds, status, by);
}
