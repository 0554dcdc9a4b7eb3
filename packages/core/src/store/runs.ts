import { HoldfastError } from "../errors.ts";
import type { Start } from "../ledger/entry.ts";
import type { RunStatus, WaitingOn } from "../run/status.ts";
import type { Queryable } from "./database.ts";
import { type Lease, powerOfTwo, rowOf } from "./ledger.ts";

/** Of the columns of `newcomer`, in their order. */
const TYPES = "text text text text text text[] int text text text".split(" ");

// One statement a size. In the order of their ids: of two that create some of the same runs, neither holds what the other
// waits for.
const statements = new Map<number, string>();
function createSql(size: number): string {
  const made = statements.get(size);
  if (made) return made;
  let p = 0;
  const row = () => `(${TYPES.map((type) => `$${++p}::${type}`).join(", ")})`;
  const text = /* sql */ `
with newcomer (run_id, agent, version, input_digest, parent, tags, worker, start, value, takeover) as (
  values ${Array.from({ length: size }, row).join(",\n         ")}
), created as (
  insert into holdfast.runs (run_id, agent, agent_version, inline, status, seq, epoch, append_seq, leased_by,
                             input_digest, parent, tags)
  select newcomer.run_id, newcomer.agent, newcomer.version, true, 'running', 2, 1, 2, worker, newcomer.input_digest,
         (select run from holdfast.runs where run_id = newcomer.parent), newcomer.tags
    from newcomer
    join holdfast.workers using (worker)
   where until > now()
   order by newcomer.run_id
  on conflict do nothing
  returning run, run_id
), noted as (
  insert into holdfast.entries (run, seq, epoch, at, kind, step, body, value)
  select run, 1, 0, now(), 'start', null, start, value from created join newcomer using (run_id)
   union all
  select run, 2, 1, now(), 'takeover', null, takeover, null from created join newcomer using (run_id)
)
select run, run_id, now() as at
  from created`;
  statements.set(size, text);
  return text;
}

/** An inline run that is to be created, and the worker that works on it. */
export interface Creation {
  readonly runId: string;
  readonly start: Start;
  readonly inputDigest: string | undefined;
  readonly worker: { readonly number: number; readonly name: string };
}

export interface Created {
  readonly lease: Lease;
  readonly at: Date;
}

/** Creates inline runs, no two of one id. Undefined: there is one of that id, or the worker is not alive. */
export async function createInline(
  db: Queryable,
  creations: readonly Creation[],
): Promise<(Created | undefined)[]> {
  const size = powerOfTwo(creations.length);
  const values = creations.flatMap(valuesOf);
  for (let i = values.length; i < size * TYPES.length; i++) values.push(null);
  const { rows } = await db.query<{ run: string; run_id: string; at: Date }>(createSql(size), values);
  const created = new Map(
    rows.map(({ run, run_id: runId, at }) => [runId, { lease: { run, runId, epoch: 1 }, at }]),
  );
  return creations.map(({ runId }) => created.get(runId));
}

function valuesOf({ runId, start, inputDigest, worker: { number, name } }: Creation): unknown[] {
  const { agent = null, version = null, parent = null, tags = [] } = start;
  const { body, value } = rowOf(start);
  const takeover = rowOf({ kind: "takeover", worker: name, number, after: "start" });
  return [runId, agent, version, inputDigest ?? null, parent, tags, number, body, value, takeover.body];
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
