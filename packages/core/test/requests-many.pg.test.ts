import { expect, test } from "vitest";
import { randomUUID } from "../src/index.ts";
import { outcomeOf, port, within } from "./agent.ts";
import { useHoldfast } from "./opened.ts";
import { newId } from "./store.ts";

const { open, sql } = useHoldfast();

const ask = (input: unknown) => port().step({ kind: "model", name: "acme/m", input }, () => "answer");
const messages = (n: number) => Array.from({ length: n }, (_, i) => `message ${i}`);

/** What the run came to, or undefined where that takes too long: then nothing of it is left waiting. */
async function carriedOut(work: () => unknown): Promise<{ id: string; value: unknown }> {
  const [id, holdfast] = [newId(), await open()];
  const value = await within(8000, outcomeOf(holdfast.run(id, work)));
  if (value === undefined) {
    await sql(
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
    ).catch(() => {});
  }
  return { id, value };
}

test.each([16_000, 22_000])(
  "a request of %d messages is kept and rebuilt",
  async (n) => {
    const { id, value } = await carriedOut(() => ask({ messages: messages(n) }));
    expect(value).toBe("answer");
    expect(await (await open()).request(id, "model#0")).toEqual({ messages: messages(n) });
  },
  20_000,
);

test("a conversation of 250 turns in one breath is kept: its parts are not offered with every turn", async () => {
  const all = messages(250);
  const { id, value } = await carriedOut(async () => {
    for (let turn = 1; turn <= all.length; turn++) await ask({ messages: all.slice(0, turn) });
    return "done";
  });
  expect(value).toBe("done");
  expect(await (await open()).request(id, "model#249")).toEqual({ messages: all });
}, 20_000);

test("a hundred agents that are asked the same long thing at once are kept", async () => {
  const long = messages(400);
  const agents = Array.from({ length: 100 }, (_, n) => n);
  const { value } = await carriedOut(async () => {
    await Promise.all(agents.map((n) => port().lane("agent", () => ask({ messages: [...long, n] }))));
    return "done";
  });
  expect(value).toBe("done");
}, 20_000);

test("a run says as much at once as it likes", async () => {
  const { value } = await carriedOut(async () => {
    for (let i = 0; i < 12_000; i++) randomUUID();
    await ask({});
    return "done";
  });
  expect(value).toBe("done");
}, 20_000);
