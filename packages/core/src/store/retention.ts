import type { RunStatus } from "../run/status.ts";
import { recordDeed } from "./audit.ts";
import type { Database, Queryable } from "./database.ts";

/** Runs that are forgotten in one transaction. */
const BATCH = 100;

const SAY_SO = /* sql */ `select set_config('holdfast.pruning', 'on', true)`;

// Its end is what another run waits for, and has not been told yet. Dependencies that have ended and are not told have an
// index of their own.
const AWAITED = /* sql */ `exists (select from holdfast.dependencies d
               join holdfast.runs w on w.run = d.run and w.finished_at is null
              where d.on_run = r.run
                and d.ended
                and not d.told)`;

// What is still open is not forgotten: an effect that may have happened, and what a run that may go on asks. A run that
// succeeded has nothing open, and a cancelled one nobody answers. Nor is an end that others are yet to be told.
const OLD = /* sql */ `
select r.run
  from holdfast.runs r
 where r.finished_at < now() - make_interval(secs => $1)
   and r.pruned_at is null
   and r.status = any ($2)
   and not ${AWAITED}
   and (r.status = 'succeeded' or not (
             r.status <> 'cancelled' and exists (select from holdfast.questions q where q.run = r.run and q.closed_at is null)
          or exists (select from holdfast.entries i
                      where i.run = r.run
                        and (i.kind = 'doubt' or i.kind = 'intent' and holdfast.body_of(i.body) ->> 'effect' = 'once')
                        and not exists (select from holdfast.entries e
                                         where e.run  = r.run
                                           and e.step = i.step
                                           and e.seq  > i.seq
                                           and e.kind in ('observation', 'resolution')))))
 order by r.finished_at
 limit $3
   for update of r skip locked`;

const ONE = /* sql */ `
select run, status
  from holdfast.runs
 where run_id = $1
   for update`;

// Asked once the head is locked: nobody begins to wait for it from then on.
const IS_AWAITED = /* sql */ `select ${AWAITED} as "isAwaited" from holdfast.runs r where r.run = $1`;

const ENTRIES = /* sql */ `delete from holdfast.entries where run = any ($1::bigint[])`;
const BLOBS = /* sql */ `delete from holdfast.blobs where run = any ($1::bigint[])`;
const QUESTIONS = /* sql */ `delete from holdfast.questions where run = any ($1::bigint[])`;
const KEEP_HEAD = /* sql */ `update holdfast.runs set pruned_at = now(), tags = '{}' where run = any ($1::bigint[])`;
const DROP_HEAD = /* sql */ `delete from holdfast.runs where run = any ($1::bigint[]) and key is null`;

/**
 * Forgets runs that ended so long ago, a batch at a time, and keeps their heads: whoever comes back with the id or the key
 * of one must not repeat its effects. One with an open doubt or question is left as it is. The audit says who did it, unless
 * there was nothing to do. Gives back how many.
 */
export async function pruneRuns(
  db: Database,
  olderThanSeconds: number,
  statuses: readonly RunStatus[],
  by: string,
): Promise<number> {
  for (let pruned = 0; ; ) {
    const batch = await db.transaction(async (tx) => {
      const { rows } = await tx.query<{ run: string }>(OLD, [olderThanSeconds, statuses, BATCH]);
      const runs = rows.map(({ run }) => run);
      await forget(tx, runs);
      await tx.query(KEEP_HEAD, [runs]);
      if (pruned === 0 && runs.length > 0)
        await recordDeed(tx, by, { did: "prune", about: { olderThanSeconds, status: statuses } });
      return runs.length;
    });
    pruned += batch;
    if (batch < BATCH) return pruned;
  }
}

/** Forgets one run that has ended: its head goes too, unless it has a key. Otherwise says why not. */
export async function deleteRun(
  db: Database,
  runId: string,
  by: string,
): Promise<"deleted" | "missing" | "awaited" | RunStatus> {
  return await db.transaction(async (tx) => {
    const { rows } = await tx.query<{ run: string; status: RunStatus }>(ONE, [runId]);
    const [head] = rows;
    if (!head) return "missing";
    if (head.status === "queued" || head.status === "running" || head.status === "waiting")
      return head.status;
    const { rows: answers } = await tx.query<{ isAwaited: boolean }>(IS_AWAITED, [head.run]);
    if (answers[0]?.isAwaited) return "awaited";
    await forget(tx, [head.run]);
    await tx.query(KEEP_HEAD, [[head.run]]);
    await tx.query(DROP_HEAD, [[head.run]]);
    await recordDeed(tx, by, { did: "delete", about: { runId } });
    return "deleted";
  });
}

async function forget(tx: Queryable, runs: readonly string[]): Promise<void> {
  await tx.query(SAY_SO);
  await tx.query(ENTRIES, [runs]);
  await tx.query(BLOBS, [runs]);
  await tx.query(QUESTIONS, [runs]);
}
