import pg from "pg";
import { expect, test } from "vitest";
import { readCursor } from "../src/cursor.ts";
import { eventsOf, type Told } from "./events.ts";
import { aRun, keyOf, newId, useServer } from "./served.ts";

const server = useServer();
const headers = { authorization: `Bearer ${keyOf("reader")}` };

/** Follows all runs. `next` gives the next events, as many as asked for. */
async function follow(lastId?: string, query = "") {
  const gone = new AbortController();
  const response = await fetch(`${server.url}/v1/tail${query}`, {
    headers: lastId === undefined ? headers : { ...headers, "last-event-id": lastId },
    signal: gone.signal,
  });
  const events = eventsOf(response);
  return {
    status: response.status,
    async next(count: number): Promise<Told[]> {
      const told: Told[] = [];
      while (told.length < count) {
        const { value, done } = await events.next();
        if (done) break;
        told.push(value);
      }
      return told;
    },
    leave: () => gone.abort(),
  };
}

const said = ({ data }: Told) => JSON.parse(data) as { runId: string; seq: number; kind: string };
const placeOf = (told: Told) => `${said(told).runId}/${said(told).seq}`;

test("what is committed from now on is told, without its values", async () => {
  await aRun(server.hf);
  const feed = await follow();
  const id = await aRun(server.hf, { input: { secret: "4242" } });
  const entries = await server.hf.entries(id);
  const told = await feed.next(entries.length);
  feed.leave();
  expect(told.map(said)).toMatchObject(entries.map(({ runId, seq, kind }) => ({ runId, seq, kind })));
  expect(JSON.stringify(told)).not.toContain("4242");
});

test("runs of one agent are told alone where that is asked for", async () => {
  const feed = await follow(undefined, "?agent=mine");
  await aRun(server.hf, { agent: "theirs" });
  const id = await aRun(server.hf, { agent: "mine" });
  expect(said((await feed.next(1))[0] as Told).runId).toBe(id);
  feed.leave();
});

test("over a hundred disconnects, with twenty runs at once, nothing is missed and nothing comes twice", async () => {
  const first = await follow();
  const ids = Array.from({ length: 20 }, newId);
  const working = Promise.all(ids.map((id) => aRun(server.hf, { id, steps: 15 })));
  const expected = 20 * (15 * 2 + 3);
  const told = await first.next(1);
  first.leave();
  let disconnects = 1;
  while (told.length < expected) {
    const feed = await follow(told.at(-1)?.id);
    const count = disconnects < 100 ? 1 + Math.floor(Math.random() * 5) : expected - told.length;
    told.push(...(await feed.next(count)));
    feed.leave();
    disconnects++;
  }
  await working;
  expect(disconnects).toBeGreaterThan(100);
  const written = (await Promise.all(ids.map((id) => server.hf.entries(id)))).flat();
  expect(written.length).toBe(expected);
  expect(told.map(placeOf).toSorted()).toEqual(written.map(({ runId, seq }) => `${runId}/${seq}`).toSorted());
  for (const id of ids) {
    const seqs = told
      .map(said)
      .filter(({ runId }) => runId === id)
      .map(({ seq }) => seq);
    expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
  }
}, 60_000);

test("what is committed late is told late, and not missed: a transaction that began before others were told", async () => {
  const late = newId();
  const client = new pg.Client({ connectionString: server.database });
  await client.connect();
  const feed = await follow();
  await client.query("begin");
  await client.query(
    "insert into holdfast.runs (run_id, inline, status, seq) values ($1, true, 'succeeded', 1)",
    [late],
  );
  await client.query(
    `insert into holdfast.entries (run, seq, epoch, at, kind, body)
     select run, 1, 0, now(), 'start', '{}' from holdfast.runs where run_id = $1`,
    [late],
  );
  const others = await aRun(server.hf);
  const entries = (await server.hf.entries(others)).length;
  const before = await feed.next(entries);
  expect(before.every((told) => said(told).runId === others)).toBe(true);
  feed.leave();

  const again = await follow(before.at(-1)?.id);
  await client.query("commit");
  expect(said((await again.next(1))[0] as Told)).toMatchObject({ runId: late, seq: 1 });
  again.leave();
  await client.end();
});

test("an id that no event had is refused, whatever it is", async () => {
  const encoded = (text: string) => Buffer.from(text).toString("base64url");
  const at = "2026-01-01 00:00:00+00";
  for (const text of [
    "",
    "1:1:",
    `2:1:|${at}`,
    `1:9:5,3|${at}`,
    `1:9:9|${at}`,
    `0:0:|${at}`,
    "1:1:|yesterday",
    `1:1:|${at}|1:1:|${at}|x|1`,
  ])
    expect(() => readCursor(encoded(text))).toThrow("(INVALID_ARGUMENT)");
  expect((await follow(encoded("2:1:|x"))).status).toBe(400);
  expect(readCursor(encoded(`1:9:1,3|${at}`))).toEqual({ seen: { id: "1:9:1,3", at } });
});

test("counters grow by what is committed between two readings, each entry once", async () => {
  const count = async (name: string) => {
    const { body } = await server.get("/metrics");
    return Number(new RegExp(`^${name.replace(/[{}"]/g, "\\$&")} (\\d+)`, "m").exec(body)?.[1] ?? 0);
  };
  const intents = 'holdfast_intents_total{effect="idempotent"}';
  const before = await count(intents);
  await aRun(server.hf, { steps: 7 });
  expect(await count(intents)).toBe(before + 7);
  await Promise.all([count(intents), count(intents)]);
  expect(await count(intents)).toBe(before + 7);
  expect(await count('holdfast_outcomes_total{status="succeeded"}')).toBe(1);
});
