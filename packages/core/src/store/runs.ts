import { HoldfastError } from "../errors.ts";
import type { Start, Takeover } from "../ledger/entry.ts";
import type { RunStatus, WaitingOn } from "../run/status.ts";
import type { Queryable } from "./database.ts";
import { type Lease, rowOf } from "./ledger.ts";

const CREATE = /* sql */ `
with created as (
  insert into holdfast.runs (run_id, agent, agent_version, inline, status, seq, epoch, append_seq, leased_by,
                             input_digest, parent, tags)
  select $1, $2, $3, true, 'running', 2, 1, 2, worker, $4, (select run from holdfast.runs where run_id = $5), $6::text[]
    from holdfast.workers
   where worker = $7
     and until > now()
  on conflict do nothing
  returning run
), noted as (
  insert into holdfast.entries (run, seq, epoch, at, kind, step, body, value)
  select run, 1, 0, now(), 'start', null, $8, $9 from created
   union all
  select run, 2, 1, now(), 'takeover', null, $10, null from created
)
select run, now() as at
  from created`;

/** Creates an inline run that its creator works on. Undefined: there is one of that id, or the worker is not alive. */
export async function createInline(
  db: Queryable,
  runId: string,
  start: Start,
  inputDigest: string | undefined,
  { number, name }: { number: number; name: string },
): Promise<{ lease: Lease; at: Date } | undefined> {
  const takeover: Takeover = { kind: "takeover", worker: name, number, after: "start" };
  const { body, value } = rowOf(start);
  const { rows } = await db.query<{ run: string; at: Date }>(CREATE, [
    runId,
    start.agent ?? null,
    start.version ?? null,
    inputDigest ?? null,
    start.parent ?? null,
    start.tags ?? [],
    number,
    body,
    value,
    rowOf(takeover).body,
  ]);
  const [created] = rows;
  return created && { lease: { run: created.run, runId, epoch: 1 }, at: created.at };
}

/** A run's head, and what is to be seen of its owner. */
export interface Head {
  readonly run: string;
  readonly runId: string;
  readonly agent: string | null;
  readonly version: string | null;
  readonly inline: boolean;
  readonly status: RunStatus;
  readonly waitingOn: WaitingOn | null;
  /** What it was told to do and has not been told otherwise since. */
  readonly command: "pause" | "cancel" | null;
  /** It waits, and the time has come at which it goes on whatever it waits for. */
  readonly due: boolean;
  readonly seq: number;
  readonly epoch: number;
  readonly inputDigest: string | null;
  readonly parent: string | null;
  readonly forkedFrom: string | null;
  readonly tags: string[];
  readonly createdAt: Date;
  readonly finishedAt: Date | null;
  readonly prunedAt: Date | null;
  /** It was read from a file: nobody may work on it. */
  readonly imported: boolean;
  /** The number of the run whose record answered in it. */
  readonly replayOf: string | null;
  readonly owner: {
    readonly number: number;
    readonly name: string;
    readonly alive: boolean; // its time to live is not over
    readonly beats: string;
    readonly gone: boolean; // its session lock is gone
  } | null;
}

const COLUMNS = /* sql */ `
select r.run, r.run_id as "runId", r.agent, r.agent_version as version, r.inline, r.status, r.waiting_on as "waitingOn",
       r.seq, r.epoch, r.input_digest as "inputDigest", p.run_id as parent, f.run_id as "forkedFrom", r.tags,
       r.command, r.run_at <= now() as due, r.created_at as "createdAt", r.finished_at as "finishedAt", r.pruned_at as "prunedAt",
       r.imported, r.replay_of as "replayOf",
       case when r.leased_by is not null then json_build_object(
         'number', r.leased_by,
         'name',   coalesce(w.host || ':' || w.pid, 'an unknown worker'),
         'alive',  coalesce(w.until > now(), false),
         'beats',  coalesce(w.beats, 0)::text,
         'gone',   w.worker is null or holdfast.lock_gone(w.worker, w.locked_in)) end as owner
  from holdfast.runs r
  left join holdfast.workers w on w.worker = r.leased_by
  left join holdfast.runs p on p.run = r.parent
  left join holdfast.runs f on f.run = r.forked_from`;

const GET = /* sql */ `${COLUMNS}
 where r.run_id = $1`;

export async function getHead(db: Queryable, runId: string): Promise<Head | undefined> {
  const { rows } = await db.query<Head>(GET, [runId]);
  return rows[0];
}

export async function mustGetHead(db: Queryable, runId: string): Promise<Head> {
  const head = await getHead(db, runId);
  if (!head) throw new HoldfastError("RUN_NOT_FOUND", { runId });
  return head;
}

export interface HeadFilter {
  readonly status?: RunStatus | undefined;
  readonly waitingOn?: WaitingOn | undefined;
  readonly agent?: string | undefined;
  readonly tag?: string | undefined;
  /** Only runs behind this one, in the listing's order. */
  readonly behind?: { readonly createdAt: string; readonly run: string } | undefined;
}

// The cursor's instant travels as text: a Date would lose the microseconds that tell rows apart.
const LIST = /* sql */ `${COLUMNS.replace("select r.run,", `select r.created_at::text as "createdAtText", r.run,`)}
 where ($1::text is null or r.status = $1)
   and ($2::text is null or r.waiting_on = $2)
   and ($3::text is null or r.agent = $3)
   and ($4::text is null or r.tags @> array[$4])
   and ($5::timestamptz is null or (r.created_at, r.run) < ($5, $6::bigint))
 order by r.created_at desc, r.run desc
 limit $7`;

/** The newest runs first. */
export async function listHeads(
  db: Queryable,
  { status, waitingOn, agent, tag, behind }: HeadFilter,
  limit: number,
): Promise<(Head & { createdAtText: string })[]> {
  const { rows } = await db.query<Head & { createdAtText: string }>(LIST, [
    status ?? null,
    waitingOn ?? null,
    agent ?? null,
    tag ?? null,
    behind?.createdAt ?? null,
    behind?.run ?? null,
    limit,
  ]);
  return rows;
}
