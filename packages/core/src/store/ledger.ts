import type { Change } from "../budget/tally.ts";
import type { Encoded } from "../codec.ts";
import { HoldfastError } from "../errors.ts";
import type { Blob, Entry, Fact } from "../ledger/entry.ts";
import type { RunStatus } from "../run/status.ts";
import { changeColumns, changeOf, SHORT as FITTING, MOVED } from "./budgets.ts";
import type { Queryable } from "./database.ts";

/** The right to write a run's ledger: it lasts until somebody else is given a higher epoch. */
export interface Lease {
  readonly run: string; // the run's short internal number, a bigint
  readonly runId: string;
  readonly epoch: number;
}

/** Facts of one run, to be appended together or not at all. */
export interface Append {
  readonly lease: Lease;
  /** 1, 2, 3, … in this epoch. Kept in the head: an append whose answer was lost is recognised by it. */
  readonly number: number;
  readonly facts: readonly Fact[];
  /** What the facts name by its hash. */
  readonly blobs?: readonly Blob[];
  /** What the facts change in shared budgets. */
  readonly changes?: readonly Change[];
  /** The status that the last fact gives the run for good; absent: it stays as it is. */
  readonly ends?: Extract<RunStatus, "succeeded" | "failed" | "cancelled"> | undefined;
}

/** It touches no shared budget, and is never short of one. */
export type Uncounted = Omit<Append, "changes"> & { readonly changes?: never };

/** Where an append landed: its facts follow entry `after`, which need not be the last one that the owner has seen. */
export interface Appended {
  readonly after: number;
  readonly at: Date;
}

/** Nothing was written: a shared budget has too little left for what the facts hold. */
export interface Short {
  readonly short: string;
}

/** The most runs and facts that travel in one statement. Powers of two, because each size is prepared once. */
export const MOST_RUNS = 256;
export const MOST_FACTS = 512;

/*
 * Moving the heads takes their row locks and checks the fence in one stroke: two writers may race here, but the loser
 * moves no head and so inserts no entry. Each run is fenced by itself: one that is refused stops no other.
 *
 * Whether the lease has run out is deliberately not asked. Expiry lets others take over, the epoch stops the one they
 * took over from; until somebody does, a late writer is the only writer, and turning it away would lose its work. For
 * the same reason an observation may still come in after the run was parked, and wakes it: it may be what was waited for.
 *
 * `appends = number - 1` lets an append in once, however often it is sent: the answer may get lost, not the append.
 */
const HEAD = /* sql */ `
  update holdfast.runs r
     set seq         = r.seq + want.n,
         appends     = want.number,
         append_seq  = r.seq + want.n,
         status      = case when want.ends is not null then want.ends
                            when r.status = 'waiting' and not r.inline then 'queued'
                            else r.status end,
         waiting_on  = case when want.ends is null and r.status = 'waiting' and r.inline then 'caller' end,
         leased_by   = case when want.ends is null then r.leased_by end,
         command     = case when want.ends is null then r.command end,
         finished_at = case when want.ends is null then r.finished_at else now() end
    from want
   where r.run     = want.run
     and r.epoch   = want.epoch
     and r.appends = want.number - 1
     and (r.status = 'running' or want.ends is null and r.status in ('waiting', 'queued'))`;

// The same of runs that are worked on, and go on: mostly. What it does not set no index, trigger or check has to be asked about.
const HEAD_AT_WORK = /* sql */ `
  update holdfast.runs r
     set seq         = r.seq + want.n,
         appends     = want.number,
         append_seq  = r.seq + want.n
    from want
   where r.run     = want.run
     and r.epoch   = want.epoch
     and r.appends = want.number - 1
     and r.status  = 'running'`;

const HOLDS = /* sql */ `holds       = r.holds + coalesce((select sum(opened) from change where change.run = r.run), 0)::int,`;

/** One statement a size. Several heads are locked first, passing over those that somebody holds: they are sent alone, and wait. */
const statements = new Map<string, string>();
function appendSql(heads: number, facts: number, blobs: number, counted: boolean, atWork: boolean): string {
  const size = `${heads}/${facts}/${blobs}/${counted}/${atWork}`;
  const made = statements.get(size);
  if (made) return made;

  let p = 0;
  const row = (casts: readonly string[]) => `(${casts.map((cast) => `$${++p}::${cast}`).join(", ")})`;
  const rows = (n: number, casts: readonly string[]) =>
    Array.from({ length: n }, () => row(casts)).join(",\n         ");
  const free = /* sql */ `
), free as (
  select r.run
    from holdfast.runs r
    join want using (run)
   order by r.run
     for no key update of r${heads > 1 ? " skip locked" : ""}`;
  // Budgets are locked after all runs and before any is moved, and a run that holds too much is moved as little as they.
  const short = () => /* sql */ `
), ${changeOf(p + 1)}
), ${FITTING}`;
  const kept = () => /* sql */ `
), blob (run, hash, value) as (
  values ${rows(blobs, ["bigint", "text", "text"])}
), kept as (
  insert into holdfast.blobs (run, hash, value)
  select head.run, blob.hash, blob.value
    from head
    join blob using (run)
      on conflict do nothing`;
  const isFree = "\n     and r.run in (select run from free)";
  const fits = `${isFree}\n     and r.run not in (select run from short)\n     and (select count(*) from locked) >= 0`;
  const wants = rows(heads, ["bigint", "int", "int", "int", "text"]);
  const moves = atWork ? HEAD_AT_WORK : HEAD;
  const head = counted ? moves.replace("append_seq ", `${HOLDS}\n         append_seq `) : moves;
  const said = rows(facts, ["bigint", "int", "text", "text", "text", "text"]);
  const keeps = blobs > 0 ? kept() : "";
  const shorts = counted ? short() : "";
  const text = /* sql */ `
with want (run, epoch, number, n, ends) as (
  values ${wants}${heads > 1 || counted ? free : ""}${shorts}
), head as (${head}${counted ? fits : heads > 1 ? isFree : ""}
  returning r.run, r.epoch, r.seq - want.n as after
), fact (run, n, kind, step, body, value) as (
  values ${said}
), written as (
  insert into holdfast.entries (run, seq, epoch, at, kind, step, body, value)
  select head.run, head.after + fact.n, head.epoch, now(), fact.kind, fact.step, fact.body, fact.value
    from head
    join fact using (run)${keeps}${counted ? `\n), ${MOVED}` : ""}
)
select run, after, now() as at${counted ? ", null as short" : ""}
  from head${counted ? "\n union all select run, null, now(), budget from short" : ""}`;
  statements.set(size, text);
  return text;
}

/**
 * Appends what several runs have to say, each run's facts together or not at all, in one statement. The answer has an
 * element for each append: where it landed, or nothing where the head did not let it in; `whyRefused` tells why; or which
 * shared budget has too little left for it, which of several may be because of the others. A head
 * that somebody else holds is waited for only by an append of its run alone. A run that has parked is woken; where
 * `wakes` is false its head lets nothing in.
 */
export async function append(
  db: Queryable,
  appends: readonly Uncounted[],
  options?: { readonly wakes: boolean },
): Promise<(Appended | undefined)[]>;
export async function append(
  db: Queryable,
  appends: readonly Append[],
  options?: { readonly wakes: boolean },
): Promise<(Appended | Short | undefined)[]>;
export async function append(
  db: Queryable,
  appends: readonly Append[],
  { wakes }: { readonly wakes: boolean } = { wakes: true },
): Promise<(Appended | Short | undefined)[]> {
  const facts = appends.reduce((sum, { facts }) => sum + facts.length, 0);
  const heads = powerOfTwo(appends.length);
  const size = powerOfTwo(facts);
  const blobs = appends.flatMap(({ lease, blobs = [] }) =>
    blobs.map((blob) => ({ run: lease.run, ...blob })),
  );
  const sizeOfBlobs = blobs.length === 0 ? 0 : powerOfTwo(blobs.length);
  const values: unknown[] = [];
  for (const { lease, number, facts, ends } of appends) {
    values.push(lease.run, lease.epoch, number, facts.length, ends ?? null);
  }
  for (let i = appends.length; i < heads; i++) values.push(null, null, null, null, null);
  for (const { lease, facts } of appends) {
    for (const [i, fact] of facts.entries()) {
      const { kind, step, body, value } = rowOf(fact);
      values.push(lease.run, i + 1, kind, step, body, value);
    }
  }
  for (let i = facts; i < size; i++) values.push(null, null, null, null, null, null);
  for (const { run, hash, value } of blobs) values.push(run, hash, value);
  for (let i = blobs.length; i < sizeOfBlobs; i++) values.push(null, null, null);

  const changes = appends.flatMap(({ lease, changes = [] }) =>
    changes.map((change) => ({ run: lease.run, ...change })),
  );
  const counted = changes.length > 0;
  if (counted) values.push(...changeColumns(changes));

  const { rows } = await db.query<{ run: string; after: number; at: Date; short?: string | null }>(
    appendSql(heads, size, sizeOfBlobs, counted, !wakes && appends.every(({ ends }) => ends === undefined)),
    values,
  );
  const landed = new Map(rows.map(({ run, after, at, short }) => [run, short ? { short } : { after, at }]));
  return appends.map(({ lease }) => landed.get(lease.run));
}

const REFUSED = /* sql */ `
select r.epoch, r.appends, r.append_seq, r.status, now() as at
  from holdfast.runs r
 where r.run = $1`;

/**
 * Why the head did not let an append in: it is in already, its row was busy, or it is fenced. Only the loser pays. To a
 * statement that does not wake a run, one that has parked is fenced.
 */
export async function whyRefused(
  db: Queryable,
  { lease, number, facts, ends }: Append,
  { wakes }: { readonly wakes: boolean } = { wakes: true },
): Promise<Appended | "busy" | HoldfastError> {
  const { rows } = await db.query<{
    epoch: number;
    appends: number;
    append_seq: number;
    status: RunStatus;
    at: Date;
  }>(REFUSED, [lease.run]);
  const [head] = rows;
  const { runId, epoch } = lease;
  if (!head) return new HoldfastError("RUN_NOT_FOUND", { runId });
  if (head.epoch !== epoch) return new HoldfastError("FENCED", { runId, epoch, current: head.epoch });
  if (head.appends === number) return { after: head.append_seq - facts.length, at: head.at };
  // An end is let in by a running run only, anything else mostly also by one that waits.
  const lets = wakes && ends === undefined ? ["running", "waiting", "queued"] : ["running"];
  if (head.appends === number - 1 && lets.includes(head.status)) return "busy";
  // The same epoch, but the run is not this writer's any more: it was ended or cancelled from outside.
  if (head.status === "cancelled") return new HoldfastError("CANCELLED", { runId, by: undefined });
  return new HoldfastError("FENCED", { runId, epoch, current: head.epoch });
}

const READ = /* sql */ `
select seq, epoch, at, kind, step, body, value
  from holdfast.entries
 where run = $1
   and seq > $2
 order by seq
 limit $3`;

/** Entries that are read in one statement. */
const PAGE = 10_000;

/** The entries of a run after `after`, in order: all of them, or at most `limit`. */
export async function readEntries(
  db: Queryable,
  { run, runId }: Pick<Lease, "run" | "runId">,
  after = 0,
  limit = Number.POSITIVE_INFINITY,
): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (;;) {
    const page = Math.min(PAGE, limit - entries.length);
    const { rows } = await db.query<EntryRow>(READ, [run, entries.at(-1)?.seq ?? after, page]);
    for (const row of rows) entries.push(entryOf(runId, row));
    if (rows.length < page || entries.length >= limit) return entries;
  }
}

const READ_SHORT = /* sql */ `
select run, seq, epoch, at, kind, step, body, value
  from holdfast.entries
 where run = any ($1::bigint[])
 order by run, seq`;

/** A ledger that is no longer is read together with others. */
const SHORT = 100;

/** The entries of several runs, by run: short ledgers in one statement, each longer one by itself. */
export async function readEntriesOf(
  db: Queryable,
  runs: readonly { readonly lease: Lease; readonly seq: number }[],
): Promise<Map<string, Entry[]>> {
  const entries = new Map<string, Entry[]>(runs.map(({ lease }) => [lease.run, []]));
  const short = new Map(runs.filter(({ seq }) => seq <= SHORT).map(({ lease }) => [lease.run, lease.runId]));
  const { rows } = await db.query<EntryRow & { run: string }>(READ_SHORT, [[...short.keys()]]);
  for (const { run, ...row } of rows) entries.get(run)?.push(entryOf(short.get(run) ?? "", row));
  const long = runs.filter(({ seq }) => seq > SHORT);
  await Promise.all(long.map(async ({ lease }) => void entries.set(lease.run, await readEntries(db, lease))));
  return entries;
}

interface EntryRow {
  readonly seq: number;
  readonly epoch: number;
  readonly at: Date;
  readonly kind: string;
  readonly step: string | null;
  readonly body: string;
  readonly value: string | null;
}

/** A fact as a row: its small fields in the body, its one large field apart, where it is read only when needed. */
export function rowOf(fact: Fact): {
  kind: string;
  step: string | null;
  body: string;
  value: Encoded | null;
} {
  const { kind, step, value } = fact as Fact & { step?: string; value?: Encoded };
  const small = smallOf(fact as Partial<EntryRow>);
  // What a model was asked is rebuilt from its request, to the letter: in SQL it is read through holdfast.body_of.
  const body = "request" in small ? JSON.stringify(small) : readable(JSON.stringify(small));
  return { kind, step: step ?? null, body, value: value ?? null };
}

// Postgres takes no field out of a json with a NUL or half a surrogate pair in it. JSON.stringify escapes both, and no whole
// pair; an escaped backslash is passed over as one.
const UNREADABLE = /\\\\|\\u(?:0000|d[89a-f][0-9a-f]{2})/g;
const readable = (body: string): string =>
  body.replace(UNREADABLE, (found) => (found === "\\\\" ? found : "\ufffd"));

/** What has a column of its own is not in the body, and not taken from there either: nothing but the store stamps. */
function entryOf(runId: string, { seq, epoch, at, kind, step, body, value }: EntryRow): Entry {
  return {
    ...smallOf(JSON.parse(body)),
    runId,
    seq,
    epoch,
    at,
    kind,
    ...(step === null ? {} : { step }),
    ...(value === null ? {} : { value }),
  } as Entry;
}

function smallOf(fact: Partial<EntryRow> & { readonly runId?: string }): object {
  const { runId: _runId, seq: _seq, epoch: _epoch, at: _at, ...own } = fact;
  const { kind: _kind, step: _step, value: _value, ...small } = own;
  return small;
}

/** The size of the statement that takes so many: each is prepared once. */
export const powerOfTwo = (n: number): number => 2 ** Math.ceil(Math.log2(Math.max(n, 1)));
