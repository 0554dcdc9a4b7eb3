import type { Appender } from "./appender.ts";
import { HoldfastError } from "./errors.ts";
import type { Heart, Standing } from "./heart.ts";
import type { Database } from "./store/database.ts";
import { confirmLease } from "./store/lease.ts";
import type { Lease } from "./store/ledger.ts";

/** What a session works with: of its process, not of its run. */
export interface Means {
  readonly db: Database;
  readonly appender: Appender;
  readonly heart: Heart;
}

/** What the owner of a run has, over its entries. */
export interface Owner {
  readonly means: Means;
  readonly lease: Lease;
  /** What the lease was last known to be good under: see Heart. */
  standing: Standing;
}

/** Just before a call goes out: is the run still ours, as far as this process can know? */
export async function mayDispatch(owner: Owner): Promise<void> {
  const { heart, db } = owner.means;
  for (;;) {
    const may = heart.mayCall(owner.standing);
    if (may === "yes") return;
    if (may === "lapsed") throw lapsed(owner.lease.runId);
    if (may === "unlocked") {
      await heart.changed(100);
      continue;
    }
    // While the lock was gone, somebody who saw that may have taken the run. None can from here on: see CONFIRM.
    const { standing } = heart;
    await confirmLease(db, owner.lease);
    owner.standing = { lapses: owner.standing.lapses, lock: standing.lock };
  }
}

/** Has the worker's lease run out since it got the run? */
export const isLapsed = ({ means, standing }: Owner): boolean => means.heart.mayCall(standing) === "lapsed";

export const lapsed = (runId: string) =>
  new HoldfastError("DATABASE_UNAVAILABLE", {
    why: `the lease on run ${runId} could not be renewed in time`,
  });
