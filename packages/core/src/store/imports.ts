import { type Entry, factOf } from "../ledger/entry.ts";
import type { RunStatus } from "../run/status.ts";
import type { Queryable } from "./database.ts";
import { rowOf } from "./ledger.ts";

// The head says when the run came here, its entries when it was. It is nobody's to work on (`imported`): see enter.ts.
const INSERT = /* sql */ `
with entry (seq, epoch, at, kind, step, body, value) as (
  select * from unnest($7::int[], $8::int[], $9::timestamptz[], $10::text[], $11::text[], $12::text[], $13::text[])
), head as (
  insert into holdfast.runs (run_id, agent, agent_version, input_digest, tags, status, waiting_on, finished_at, inline, imported,
                             seq, epoch)
  select $1, $2, $3, $4, $5::text[], coalesce($6, 'waiting'), case when $6::text is null then 'caller' end,
         case when $6::text is not null then now() end, true, true, max(seq), max(epoch)
    from entry
  on conflict do nothing
  returning run
), written as (
  insert into holdfast.entries (run, seq, epoch, at, kind, step, body, value)
  select head.run, entry.*
    from head, entry
), kept as (
  insert into holdfast.blobs (run, hash, value)
  select head.run, blob.*
    from head, unnest($14::text[], $15::text[]) as blob (hash, value)
)
select run
  from head`;

/** Inserts a run with the ledger it had elsewhere. False: there is one of that id. */
export async function insertRun(
  db: Queryable,
  head: {
    readonly runId: string;
    readonly agent: string | undefined;
    readonly version: string | undefined;
    readonly inputDigest: string | undefined;
    readonly tags: readonly string[] | undefined;
    readonly status: Extract<RunStatus, "succeeded" | "failed" | "cancelled" | "dead"> | undefined;
  },
  entries: readonly Entry[],
  blobs: ReadonlyMap<string, string>,
): Promise<boolean> {
  const facts = entries.map((entry) => rowOf(factOf(entry)));
  const { rows } = await db.query(INSERT, [
    head.runId,
    head.agent ?? null,
    head.version ?? null,
    head.inputDigest ?? null,
    head.tags ?? [],
    head.status ?? null,
    entries.map(({ seq }) => seq),
    entries.map(({ epoch }) => epoch),
    entries.map(({ at }) => at),
    facts.map(({ kind }) => kind),
    facts.map(({ step }) => step),
    facts.map(({ body }) => body),
    facts.map(({ value }) => value),
    [...blobs.keys()],
    [...blobs.values()],
  ]);
  return rows.length > 0;
}
