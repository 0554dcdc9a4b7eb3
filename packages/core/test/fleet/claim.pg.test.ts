import { expect, test } from "vitest";
import { compareVersions } from "../../src/fleet/agent.ts";
import { append } from "../../src/store/ledger.ts";
import { writeOutside } from "../../src/store/outside.ts";
import { claim, type Line, type Queued, queue, wakeDue } from "../../src/store/queue.ts";
import { observed } from "../../src/testing/given.ts";
import { aWorker, eventually, expire, newId, useStore } from "../store.ts";

const store = useStore();

const line = (agent: string, more: Partial<Line> = {}): Line => ({
  agent,
  version: undefined,
  isNewest: true,
  cap: undefined,
  ...more,
});

interface Wanted {
  readonly priority?: number;
  readonly pinnedTo?: string;
  readonly runAt?: Date;
}

const aQueued = (agent: string, { priority = 0, pinnedTo = "", runAt }: Wanted = {}): Queued => ({
  runId: newId(),
  start: { kind: "start", agent, inline: false },
  inputDigest: "d",
  pinnedTo,
  priority,
  runAt,
  waits: false,
  mostCrashes: 5,
  queueLimit: undefined,
});

const queued = async (agent: string, wanted?: Wanted) => {
  const made = aQueued(agent, wanted);
  await queue(store.db, made);
  return made.runId;
};

/** An agent of a name that no other test has. */
const newAgent = () => `agent-${newId()}`;

const claimed = async (lines: readonly Line[], most: number, fleetCap?: number) => {
  const worker = await aWorker(store);
  return (await claim(store.db, worker, lines, most, fleetCap)).map(({ lease }) => lease.runId);
};

test("the most urgent first, then the oldest", async () => {
  const agent = newAgent();
  const runs: string[] = [];
  for (const priority of [0, 5, 0, 5, -1]) runs.push(await queued(agent, { priority }));
  const order = [];
  for (let i = 0; i < 5; i++) order.push(...(await claimed([line(agent)], 1)));
  expect(order).toEqual([1, 3, 0, 2, 4].map((i) => runs[i]));
});

test("a flood of one agent leaves the others their share", async () => {
  const [flood, drop] = [newAgent(), newAgent()];
  for (let i = 0; i < 20; i++) await queued(flood);
  const drops = [await queued(drop), await queued(drop)];
  const got = await claimed([line(flood), line(drop)], 6);
  expect(got).toHaveLength(6);
  for (const run of drops) expect(got).toContain(run);
});

test("what is urgent comes before what is fair", async () => {
  const [urgent, other] = [newAgent(), newAgent()];
  const urgents = [];
  for (let i = 0; i < 4; i++) urgents.push(await queued(urgent, { priority: 1 }));
  await queued(other);
  expect((await claimed([line(other), line(urgent)], 4)).sort()).toEqual(urgents.sort());
});

test("workers that claim at once get different runs, and all of them", async () => {
  const agent = newAgent();
  const runs: string[] = [];
  for (let i = 0; i < 60; i++) runs.push(await queued(agent));
  const got: string[] = [];
  while (got.length < 60) {
    const claims = await Promise.all(Array.from({ length: 6 }, () => claimed([line(agent)], 5)));
    got.push(...claims.flat());
  }
  expect(got.toSorted()).toEqual(runs.toSorted());
});

test("a cap on an agent holds, however many claim at once", async () => {
  const agent = newAgent();
  for (let i = 0; i < 30; i++) await queued(agent);
  const claims = await Promise.all(Array.from({ length: 8 }, () => claimed([line(agent, { cap: 3 })], 10)));
  expect(claims.flat()).toHaveLength(3);
});

test("a cap on the fleet holds over all agents, however many claim at once", async () => {
  const [running] = await store.sql<{ n: number }>(
    "select count(*)::int as n from holdfast.runs where status = 'running' and not inline",
  );
  const [one, other] = [newAgent(), newAgent()];
  for (let i = 0; i < 10; i++) await Promise.all([queued(one), queued(other)]);
  const cap = (running?.n ?? 0) + 4;
  const claims = await Promise.all(
    Array.from({ length: 8 }, () => claimed([line(one), line(other)], 10, cap)),
  );
  expect(claims.flat()).toHaveLength(4);
});

test("a cap counts runs that are pinned and runs that are not together", async () => {
  const agent = newAgent();
  for (let i = 0; i < 4; i++) await Promise.all([queued(agent), queued(agent, { pinnedTo: "7" })]);
  expect(await claimed([line(agent, { version: "7", cap: 3 })], 10)).toHaveLength(3);
});

/** Resolves once the promise has settled, or some session waits for an advisory lock. */
const settledOrLocked = async (promise: Promise<unknown>) => {
  let settled = false;
  promise.finally(() => (settled = true)).catch(() => {});
  const waiting =
    "select from pg_stat_activity where wait_event = 'advisory' and datname = current_database()";
  await eventually(async () => settled || (await store.sql(waiting)).length > 0);
};

test("who asks for a place under a cap waits for who asked before, and counts what that took", async () => {
  const agent = newAgent();
  const [first] = [await queued(agent), await queued(agent)];
  const { number } = await aWorker(store);
  const session = await store.session();
  await session.query("begin");
  const { rows } = await session.query("select holdfast.room($1, 1) as room", [agent]);
  expect(rows).toEqual([{ room: 1 }]);
  await session.query("update holdfast.runs set status = 'running', leased_by = $2 where run_id = $1", [
    first,
    number,
  ]);
  const claiming = claimed([line(agent, { cap: 1 })], 5);
  await settledOrLocked(claiming);
  await session.query("commit");
  expect(await claiming).toEqual([]);
});

test("who asks for room in the queue waits for who asked before, and counts what that queued", async () => {
  const agent = newAgent();
  const [{ n } = { n: 0 }] = await store.sql<{ n: number }>(
    "select count(*)::int as n from holdfast.runs where status = 'queued' and command is null",
  );
  const session = await store.session();
  await session.query("begin");
  const { rows } = await session.query("select holdfast.queue_has_room($1) as has", [n + 1]);
  expect(rows).toEqual([{ has: true }]);
  await session.query(
    "insert into holdfast.runs (run_id, agent, inline, status, seq, append_seq) values ($1, $2, false, 'queued', 1, 1)",
    [newId(), agent],
  );
  const queueing = queue(store.db, { ...aQueued(agent), queueLimit: n + 1 });
  await settledOrLocked(queueing);
  await session.query("commit");
  expect(await queueing).toBeUndefined();
});

test("a run that has not begun is not woken by what somebody says of it", async () => {
  const agent = newAgent();
  const run = await queue(store.db, { ...aQueued(agent), waits: true });
  const fact = { kind: "command", command: "raiseBudget", by: "ana", to: { micros: 1 } } as const;
  expect(await writeOutside(store.db, { run: run ?? "" }, 1, fact)).toBe(true);
  expect(await claimed([line(agent)], 5)).toEqual([]);
});

test("a worker with an older version leaves a run to the newest, unless it is pinned to the old one", async () => {
  const agent = newAgent();
  const [free, pinned] = [await queued(agent), await queued(agent, { pinnedTo: "6" })];
  expect(await claimed([line(agent, { version: "6", isNewest: false })], 5)).toEqual([pinned]);
  expect(await claimed([line(agent, { version: "7" })], 5)).toEqual([free]);
});

test("a run that is pinned is not claimed by a newer version", async () => {
  const agent = newAgent();
  await queued(agent, { pinnedTo: "6" });
  expect(await claimed([line(agent, { version: "7" })], 5)).toEqual([]);
});

test("nothing is claimed by a worker whose time is over", async () => {
  const agent = newAgent();
  await queued(agent);
  const worker = await aWorker(store);
  await expire(store, worker);
  expect(await claim(store.db, worker, [line(agent)], 5)).toEqual([]);
});

test("a run is not claimed before its time", async () => {
  const agent = newAgent();
  const run = await queued(agent, { runAt: new Date(Date.now() + 3_600_000) });
  await wakeDue(store.db);
  expect(await claimed([line(agent)], 5)).toEqual([]);
  await store.sql("update holdfast.runs set run_at = now() where run_id = $1", [run]);
  expect(await wakeDue(store.db)).toBe(1);
  expect(await claimed([line(agent)], 5)).toEqual([run]);
});

test.each([
  ["1.10", "1.9", 1],
  ["7", "7", 0],
  ["2", "10", -1],
  [undefined, "1", -1],
])("version %s against %s", (one, other, expected) => {
  expect(Math.sign(compareVersions(one, other))).toBe(expected);
});

test("what a run says while it is worked on touches no index of the heads", async () => {
  const agent = newAgent();
  for (let i = 0; i < 20; i++) await queued(agent);
  const claims = await claim(store.db, await aWorker(store), [line(agent)], 20);
  const session = await store.session();
  const hot = async () => {
    await session.query("select pg_stat_force_next_flush()");
    await session.query("select pg_stat_clear_snapshot()");
    const { rows } = await session.query(
      "select n_tup_upd::int as all, n_tup_hot_upd::int as hot from pg_stat_user_tables where relid = 'holdfast.runs'::regclass",
    );
    return rows[0] as { all: number; hot: number };
  };
  // Counted in the session that writes: its statistics are its own to flush.
  const db = {
    query: (text: string, values?: readonly unknown[]) => session.query(text, values as unknown[]) as never,
    script: async () => {},
  };
  const before = await hot();
  for (let number = 1; number <= 10; number++) {
    const appends = claims.map(({ lease }) => ({ lease, number, facts: [observed(`look#${number}`, 1)] }));
    await append(db, appends);
  }
  const after = await hot();
  expect(after.all - before.all).toBeGreaterThanOrEqual(200);
  // Not all: now and then a page is full. Were a column of an index among them, it would be none.
  expect((after.hot - before.hot) / (after.all - before.all)).toBeGreaterThan(0.5);
});
