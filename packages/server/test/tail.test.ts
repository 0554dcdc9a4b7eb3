import { type Holdfast, step } from "@holdfast/core";
import { expect, test } from "vitest";
import { eventsOf, type Told } from "./events.ts";
import { aRun, keyOf, newId, pathOf, useServer } from "./served.ts";

const server = useServer();

const headers = { authorization: `Bearer ${keyOf("reader")}` };
const tailOf = (id: string, more: Record<string, string> = {}) =>
  fetch(`${server.url}${pathOf(id)}/tail`, { headers: { ...headers, ...more } });

test("a tail tells what is on record, then what is written, then that the run has ended", async () => {
  const { id, go, ended } = await paced(server.hf, 3);
  const told: Told[] = [];
  for await (const event of eventsOf(await tailOf(id))) {
    told.push(event);
    go();
  }
  await ended;
  expect(told.at(-1)).toMatchObject({ event: "end" });
  const entries = told.slice(0, -1);
  expect(entries.map(({ id }) => Number(id))).toEqual(entries.map((_, i) => i + 1));
  expect(JSON.parse(entries.at(-1)?.data ?? "")).toMatchObject({ kind: "outcome", status: "succeeded" });
  expect(entries.length).toBe((await server.hf.entries(id)).length);
});

test("a tail goes on behind the last event that its reader got, and ends for good behind the last entry", async () => {
  const id = await aRun(server.hf);
  const all = [];
  for await (const event of eventsOf(await tailOf(id))) all.push(event);
  const last = all.at(-2)?.id ?? "";
  const behind = [];
  for await (const event of eventsOf(await tailOf(id, { "last-event-id": "2" }))) behind.push(event.id);
  expect(behind).toEqual(all.slice(2).map(({ id }) => id));
  expect((await tailOf(id, { "last-event-id": last })).status).toBe(204);
});

test("a tail of a run that is not there is 404, and of an id that is none 400", async () => {
  expect((await tailOf("no such run")).status).toBe(404);
  expect((await tailOf("a\0b")).status).toBe(400);
  expect((await tailOf(await aRun(server.hf), { "last-event-id": "yesterday" })).status).toBe(400);
});

test("over a hundred disconnects nothing is missed and nothing comes twice", async () => {
  const { id, go, ended } = await paced(server.hf, 150);
  const seqs: number[] = [];
  let disconnects = 0;
  for (let over = false; !over; ) {
    const gone = new AbortController();
    const lastId: Record<string, string> = seqs.length === 0 ? {} : { "last-event-id": String(seqs.at(-1)) };
    const response = await fetch(`${server.url}${pathOf(id)}/tail`, {
      headers: { ...headers, ...lastId },
      signal: gone.signal,
    });
    // Where in the stream it is cut is drawn; that it is cut a hundred times is not.
    let left = disconnects < 100 ? 1 + Math.floor(Math.random() * 3) : Number.POSITIVE_INFINITY;
    go();
    try {
      for await (const { event, id } of eventsOf(response)) {
        if (event === "end") {
          over = true;
          break;
        }
        seqs.push(Number(id));
        go();
        if (--left > 0) continue;
        disconnects++;
        break;
      }
    } finally {
      gone.abort();
    }
  }
  await ended;
  const written = await server.hf.entries(id);
  expect(disconnects).toBe(100);
  expect(seqs).toEqual(written.map(({ seq }) => seq));
}, 60_000);

test("five hundred watch one server while it works, and each sees everything", async () => {
  const { id, go, ended } = await paced(server.hf, 5);
  const watchers = await Promise.all(Array.from({ length: 500 }, () => tailOf(id)));
  expect(watchers.every(({ status }) => status === 200)).toBe(true);
  const seen = watchers.map(async (response) => {
    const seqs = [];
    for await (const event of eventsOf(response)) if (event.event !== "end") seqs.push(Number(event.id));
    return seqs;
  });
  for (let i = 0; i < 5; i++) {
    expect((await server.get("/v1/runs?limit=1")).status).toBe(200);
    go();
  }
  await ended;
  const all = (await server.hf.entries(id)).map(({ seq }) => seq);
  for (const seqs of await Promise.all(seen)) expect(seqs).toEqual(all);
}, 60_000);

/** A run whose steps each wait until it is told to go on. */
async function paced(hf: Holdfast, steps: number) {
  const id = newId();
  let credits = 0;
  let more = () => {};
  const started = Promise.withResolvers<void>();
  const ended = hf.run(id, async () => {
    started.resolve();
    for (let i = 0; i < steps; i++) {
      while (credits === 0)
        await new Promise<void>((resolve) => {
          more = resolve;
        });
      credits--;
      await step(`step ${i}`, () => i, { effect: "idempotent", input: i });
    }
    return "done";
  });
  await started.promise;
  const go = () => {
    credits++;
    more();
  };
  return { id, go, ended };
}
