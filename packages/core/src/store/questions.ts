import type { Encoded } from "../codec.ts";
import type { Answer, Question } from "../ledger/entry.ts";
import type { RunStatus } from "../run/status.ts";
import type { Queryable } from "./database.ts";
import { type Append, type Appended, rowOf } from "./ledger.ts";

// The owner asks. The entries and the rows that people find them by go in together, under the owner's epoch.
const ASK = /* sql */ `
with want as (
  select *
    from unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::int[], $9::text[], $10::float8[])
         with ordinality as want (question, step, body, value, need, people, expires_in, n)
), head as (
  update holdfast.runs
     set seq        = seq + (select count(*) from want),
         appends    = $3,
         append_seq = seq + (select count(*) from want)
   where run     = $1
     and epoch   = $2
     and appends = $3 - 1
     and status  = 'running'
  returning run, epoch, seq - (select count(*) from want) as after
), written as (
  insert into holdfast.entries (run, seq, epoch, at, kind, step, body, value)
  select head.run, head.after + want.n, head.epoch, now(), 'question', want.step, want.body, want.value
    from head, want
), asked as (
  insert into holdfast.questions (question, run, seq, step, need, people, expires_at)
  select want.question, head.run, head.after + want.n, want.step, want.need,
         (select array_agg(name) from json_array_elements_text(want.people::json) as name),
         now() + make_interval(secs => want.expires_in)
    from head, want
)
select after::int, now() as at
  from head`;

/** Asks. Undefined: the head did not let it in; `whyRefused` tells why. */
export async function askQuestions(
  db: Queryable,
  { lease, number }: Pick<Append, "lease" | "number">,
  questions: readonly Question[],
): Promise<Appended | undefined> {
  const rows = questions.map((question) => ({ ...rowOf(question), ...question }));
  const { rows: landed } = await db.query<Appended>(ASK, [
    lease.run,
    lease.epoch,
    number,
    rows.map(({ question }) => question),
    rows.map(({ step }) => step),
    rows.map(({ body }) => body),
    rows.map(({ value }) => value ?? null),
    rows.map(({ need }) => need),
    rows.map(({ of }) => (of ? JSON.stringify(of) : null)),
    rows.map(({ expiresInSeconds }) => expiresInSeconds ?? null),
  ]);
  return landed[0];
}

// A person answers, without a lease. All that an answer needs stands in the `where`: the question is open, its time is
// not over, and this one may answer and has not done so. Of two at once the second finds the row moved. Where that
// settles the question, a run that is parked is woken in the same stroke. The epoch stays: an answer contradicts nothing
// that a call which the last owner left behind may yet say.
const ANSWER = /* sql */ `
with locked as (
  select run
    from holdfast.runs
   where run = (select run from holdfast.questions where question = $1)
     and status in ('queued', 'running', 'waiting')
     for no key update
), settled as (
  update holdfast.questions q
     set approved  = case when $6 then approved || $2 else approved end,
         closed_at = case when $6 and cardinality(approved) + 1 < need then null else now() end
    from locked
   where q.question  = $1
     and q.run       = locked.run
     and q.closed_at is null
     and (q.expires_at is null or q.expires_at > now())
     and $2 <> all (q.approved)
     and (q.people is null or $2 = any (q.people))
  returning q.run, q.closed_at is not null as through
), head as (
  update holdfast.runs r
     set seq        = r.seq + 1,
         status     = case when through and r.status = 'waiting' and not r.inline then 'queued' else r.status end,
         waiting_on = case when r.status <> 'waiting' or through and not r.inline then null
                           when through then 'caller' else r.waiting_on end
    from settled
   where r.run = settled.run
  returning r.run, r.seq, r.epoch
)
insert into holdfast.entries (run, seq, epoch, at, kind, step, body, value)
select run, seq, epoch, now(), 'answer', $3, $4, $5
  from head
returning seq`;

const IS_SAID = /* sql */ `
select exists (select
                 from holdfast.questions q
                 join holdfast.entries e using (run)
                where q.question = $1
                  and e.kind     = 'answer'
                  and position($2 in e.body) > 0) as said`;

/** Is this very answer on record? It is where it was sent again, because what the server said of it was lost. */
export async function isSaid(db: Queryable, { question, answer }: Answer): Promise<boolean> {
  const { rows } = await db.query<{ said: boolean }>(IS_SAID, [question, answer]);
  return rows[0]?.said === true;
}

/** Answers. False: it may not be answered (any more), or not by this one; `getQuestion` tells which. */
export async function answerQuestion(db: Queryable, answer: Answer): Promise<boolean> {
  const { step, body, value } = rowOf(answer);
  const { rows } = await db.query(ANSWER, [
    answer.question,
    answer.by,
    step,
    body,
    value,
    answer.says === "approved",
  ]);
  return rows.length > 0;
}

// Questions that nobody will answer any more: those whose time is over, or one that its owner takes back. Their runs are
// woken as by an answer. Runs are locked in order, and one that somebody holds is left for the next time.
const CLOSE = /* sql */ `
with locked as (
  select r.run
    from holdfast.runs r
   where r.status in ('queued', 'running', 'waiting')
     and r.run in (select q.run
                     from holdfast.questions q
                     join holdfast.runs o using (run)
                    where q.closed_at is null
                      and o.status in ('queued', 'running', 'waiting')
                      and ($1::text is null and q.expires_at <= now() or q.question = $1)
                      and ($2::bigint is null or q.run = $2)
                    order by q.run
                    limit $5)
     and ($3::int is null or r.epoch = $3)
   order by r.run
     for no key update skip locked
), closed as (
  update holdfast.questions q
     set closed_at = now()
    from locked
   where q.run = locked.run
     and q.closed_at is null
     and ($1 is null and q.expires_at <= now() or q.question = $1)
  returning q.run, q.question, q.step
), counted as (
  select run, question, step, row_number() over (partition by run order by question) as n,
         count(*) over (partition by run) as total
    from closed
), head as (
  update holdfast.runs r
     set seq        = r.seq + c.total,
         status     = case when r.status = 'waiting' and not r.inline then 'queued' else r.status end,
         waiting_on = case when r.status = 'waiting' and r.inline then 'caller' end
    from (select distinct run, total from counted) as c
   where r.run = c.run
  returning r.run, r.seq - c.total as after, r.epoch
)
insert into holdfast.entries (run, seq, epoch, at, kind, step, body, value)
select run, after + n, epoch, now(), 'answer', step,
       json_build_object('question', question, 'answer', question, 'says', $4::text, 'by', 'holdfast')::text, null
  from head
  join counted using (run)
returning run`;

/** Runs whose questions are closed in one statement. */
const MOST_CLOSED = 100;

/** Closes the questions whose time is over, of one run or of all, and wakes their runs. Gives back how many. */
export async function expireQuestions(db: Queryable, run?: string): Promise<number> {
  const { rows } = await db.query(CLOSE, [null, run ?? null, null, "expired", MOST_CLOSED]);
  return rows.length;
}

const CLOSING = /* sql */ `
select r.seq <> $2 or exists (select from holdfast.questions q
                               where q.run = r.run
                                 and q.closed_at is null
                                 and q.expires_at <= now()) as closing
  from holdfast.runs r
 where r.run = $1`;

/** Is a question of the run being closed by somebody else, or has been since its head was read? */
export async function isClosing(db: Queryable, { run, seq }: { run: string; seq: number }): Promise<boolean> {
  const { rows } = await db.query<{ closing: boolean }>(CLOSING, [run, seq]);
  return rows[0]?.closing ?? true;
}

/** The owner takes a question back. False: it was settled meanwhile, or the run is not the owner's any more. */
export async function withdrawQuestion(
  db: Queryable,
  { run, epoch }: { run: string; epoch: number },
  question: string,
): Promise<boolean> {
  const { rows } = await db.query(CLOSE, [question, run, epoch, "withdrawn", 1]);
  return rows.length > 0;
}

/** A question as its row and its entry tell it. */
export interface QuestionRow {
  readonly question: string;
  readonly runId: string;
  readonly run: string;
  readonly step: string;
  readonly body: string;
  readonly value: Encoded | null;
  readonly at: Date;
  readonly people: string[] | null;
  readonly approved: string[];
  readonly expiresAt: Date | null;
  readonly isClosed: boolean;
  readonly isExpired: boolean;
  readonly status: RunStatus;
}

const COLUMNS = /* sql */ `
select q.question, r.run_id as "runId", q.run, q.step, e.body, e.value, e.at, q.people, q.approved,
       q.expires_at as "expiresAt", q.closed_at is not null as "isClosed", coalesce(q.expires_at <= now(), false) as "isExpired",
       r.status
  from holdfast.questions q
  join holdfast.runs r using (run)
  join holdfast.entries e on e.run = q.run and e.seq = q.seq`;

const GET = /* sql */ `${COLUMNS}
 where q.question = $1`;

export async function getQuestion(db: Queryable, question: string): Promise<QuestionRow | undefined> {
  const { rows } = await db.query<QuestionRow>(GET, [question]);
  return rows[0];
}

const LIST = /* sql */ `${COLUMNS}
 where q.closed_at is null
   and (q.expires_at is null or q.expires_at > now())
   and r.status in ('queued', 'running', 'waiting')
   and ($1::text is null or r.run_id = $1)
 order by e.at, q.run, q.seq
 limit $2`;

/** The open questions, those that were asked first first. */
export async function listQuestions(
  db: Queryable,
  runId: string | undefined,
  limit: number,
): Promise<QuestionRow[]> {
  const { rows } = await db.query<QuestionRow>(LIST, [runId ?? null, limit]);
  return rows;
}
