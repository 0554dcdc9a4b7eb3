import { describe, expect, test } from "vitest";
import { type Holdfast, type LedgerEntry, step } from "../src/index.ts";
import { RequestMemo } from "../src/request.ts";
import { outcomeOf, port } from "./agent.ts";
import { counter, useHoldfast } from "./opened.ts";
import { newId } from "./store.ts";

const { open, sql, interruptRun, stall } = useHoldfast();

type Message = Record<string, unknown>;

const ask = (input: unknown, answer: () => unknown = () => "answer", name = "acme/m") =>
  port().step({ kind: "model", name, input }, answer);

/** The nth message of a conversation: no two alike, some with what JSON does not know. */
const message = (n: number): Message => ({
  role: n % 2 === 0 ? "user" : "assistant",
  content: `message ${n}: `.padEnd(150, "lorem ipsum "),
  ...(n % 5 === 0 ? { at: new Date(n * 1000), link: new URL(`https://a.example/${n}`) } : {}),
  ...(n % 7 === 0 ? { image: { bytes: new Uint8Array([n, 2, 3]) }, tokens: BigInt(n) } : {}),
  ...(n % 3 === 0 ? { $date: "no date", nothing: null } : {}),
});

const settings = {
  temperature: 0,
  system: "You are a teller. ".repeat(20),
  stop: [],
  deadline: new Date(86_400_000),
  tools: [{ name: "pay", schema: { type: "object", $ref: "#/a" } }],
};

/**
 * Asks a model turn by turn, each with a look at something in between, as an agent does; `windowed` says what it is shown
 * of the conversation. Gives back all that was asked.
 */
const converse = async (turns: number, windowed = (messages: Message[]) => messages, from = 0) => {
  const asked: unknown[] = [];
  for (let turn = from; turn < turns; turn++) {
    const messages = Array.from({ length: turn + 1 }, (_, n) => message(n));
    const input = { ...settings, messages: windowed(messages), seed: undefined, fetch: () => 1 };
    await ask(input, () => `answer ${turn}`);
    await step("look", () => turn, { input: turn, effect: "read" });
    const { seed: _seed, fetch: _fetch, ...said } = input;
    asked.push(said);
  }
  return asked;
};

const observations = async (holdfast: Holdfast, id: string) =>
  (await holdfast.entries(id)).filter(
    (entry): entry is LedgerEntry & { kind: "observation" } =>
      entry.kind === "observation" && entry.call === "model",
  );

/** Every recorded model call of the run, rebuilt; and that each is what the record's digest says. */
async function rebuilt(holdfast: Holdfast, id: string): Promise<unknown[]> {
  const all: unknown[] = [];
  for (const { step, digest } of await observations(holdfast, id)) {
    const request = await holdfast.request(id, step);
    const { digest: again } = new RequestMemo().ask(request, "acme/m");
    expect(again).toBe(digest);
    all.push(request);
  }
  return all;
}

const blobsOf = async (id: string) =>
  await sql<{ hash: string; value: string }>(
    "select hash, value from holdfast.blobs join holdfast.runs using (run) where run_id = $1",
    [id],
  );

const bytesOf = async (id: string) =>
  (await blobsOf(id)).reduce((sum, { hash, value }) => sum + hash.length + value.length, 0);

describe("the requests of a run", () => {
  test("are rebuilt as they were asked, each of thirty that grow", async () => {
    const [id, holdfast] = [newId(), await open()];
    const asked: unknown[] = [];
    await holdfast.run(id, async () => {
      asked.push(...(await converse(30)));
    });
    expect(asked).toHaveLength(30);
    expect(await rebuilt(holdfast, id)).toStrictEqual(asked);
  });

  test("are rebuilt also where a window slides over the conversation", async () => {
    const [id, holdfast] = [newId(), await open()];
    const asked: unknown[] = [];
    await holdfast.run(id, async () => {
      asked.push(...(await converse(20, (messages) => messages.slice(-6))));
    });
    expect(await rebuilt(holdfast, id)).toStrictEqual(asked);
  });

  test("are rebuilt also where the conversation is cut short and grows again", async () => {
    const [id, holdfast] = [newId(), await open()];
    const asked: unknown[] = [];
    const cut = (messages: Message[]) => [message(1000), ...messages.slice(-(1 + (messages.length % 6)))];
    await holdfast.run(id, async () => {
      asked.push(...(await converse(20, cut)));
    });
    expect(await rebuilt(holdfast, id)).toStrictEqual(asked);
  });

  test("are rebuilt also where another process went on with the run", async () => {
    const asked: unknown[] = [];
    const id = await interruptRun(async (interrupt) => {
      asked.push(...(await converse(8)));
      await interrupt();
    });
    const other = await open();
    const all: unknown[] = [];
    await other.run(id, async () => {
      all.push(...(await converse(16)));
    });
    expect(all.slice(0, 8)).toStrictEqual(asked);
    expect(await rebuilt(other, id)).toStrictEqual(all);
    expect(await observations(other, id)).toHaveLength(16);
  });

  test("are rebuilt also where an owner that was taken over had asked more than it could say", async () => {
    const [id, one, other] = [newId(), await open(), await open()];
    const [underWay, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const zombie = one.run(id, async () => {
      await converse(4);
      underWay.resolve();
      await goOn.promise;
      return await converse(12, undefined, 4);
    });
    zombie.catch(() => {});
    await underWay.promise;
    await stall(id);
    const all: unknown[] = [];
    const running = other.run(id, async () => {
      all.push(...(await converse(6)));
      goOn.resolve();
      await outcomeOf(zombie);
      all.push(...(await converse(12, undefined, 6)));
    });
    await running;
    expect(await rebuilt(other, id)).toStrictEqual(all);
  });

  test("are rebuilt also where a call failed before them: its parts are kept with the next", async () => {
    const [id, holdfast] = [newId(), await open()];
    await holdfast.run(id, async () => {
      const fail = () => Promise.reject(new Error("overloaded"));
      await outcomeOf(ask({ messages: [message(0), message(7)] }, fail));
      await ask({ messages: [message(0), message(7), message(14)] });
    });
    expect(await rebuilt(holdfast, id)).toStrictEqual([{ messages: [message(0), message(7), message(14)] }]);
  });

  test("are rebuilt also in lanes side by side", async () => {
    const [id, holdfast] = [newId(), await open()];
    const agents = [1, 2, 3];
    await holdfast.run(id, () =>
      Promise.all(
        agents.map((n) =>
          port().lane("agent", async () => {
            for (let turn = 1; turn <= 4; turn++) {
              await ask({ messages: [message(n), ...Array.from({ length: turn }, (_, i) => message(i))] });
            }
          }),
        ),
      ),
    );
    expect(await rebuilt(holdfast, id)).toHaveLength(12);
  });

  test("are of their own run, though another has the same parts", async () => {
    const holdfast = await open();
    const ids = [newId(), newId()];
    await Promise.all(ids.map((id) => holdfast.run(id, () => ask({ messages: [message(0)] }))));
    const [one, other] = await Promise.all(ids.map(blobsOf));
    expect(one?.length).toBeGreaterThan(0);
    expect(one).toEqual(other);
  });

  test("show what was asked and not what a message has become since", async () => {
    const [id, holdfast] = [newId(), await open()];
    const messages = [{ text: "before".padEnd(200, ".") }];
    await holdfast.run(id, async () => {
      await ask({ messages }, () => {
        (messages[0] as { text: string }).text = "after";
        return "answer";
      });
      await ask({ messages });
    });
    expect(await rebuilt(holdfast, id)).toStrictEqual([
      { messages: [{ text: "before".padEnd(200, ".") }] },
      { messages: [{ text: "after" }] },
    ]);
  });
});

describe("a request", () => {
  test.each<[string, unknown]>([
    ["a text", "What is due?"],
    ["a long text", "What is due? ".repeat(40)],
    ["a list", [message(0), message(5)]],
    ["an empty list", []],
    ["an empty record", {}],
    ["null", null],
    ["a number", 7],
    ["bytes", new Uint8Array([1, 2, 3])],
    ["a date", new Date(7)],
    ["a map", new Map([["a", 1]])],
    ["a record with a field that has no name", { "": 1, a: 2 }],
    ["a record with a field named like ours", { call: "me", a: 1 }],
    ["a record with a field __proto__", JSON.parse('{"__proto__":{"a":1},"b":2}')],
    ["a record with a field that is half a surrogate pair", { "\ud800": 1 }],
    ["a record with fields that look like ours", { $date: "0", $blob: { is: 1 }, is: 1, list: "a" }],
    ["a list in a list", { a: [[1, 2], []] }],
    ["a long text field", { system: "x".repeat(5000) }],
    ["a text with NUL", { system: "a\0b", messages: ["a\0b".repeat(100)] }],
  ])("that is %s is rebuilt as it was", async (_, input) => {
    const [id, holdfast] = [newId(), await open()];
    await holdfast.run(id, () => ask(input));
    expect(await holdfast.request(id, "model#0")).toStrictEqual(input);
  });

  test.each<[string, unknown, unknown]>([
    ["a message that is undefined is null", { messages: ["a", undefined] }, { messages: ["a", null] }],
    ["a message that is a function is null", { messages: ["a", () => 1] }, { messages: ["a", null] }],
    ["a symbol is dropped", { a: 1, b: Symbol("b") }, { a: 1 }],
    ["what says as JSON that it is nothing is dropped", { a: 1, b: { toJSON: () => undefined } }, { a: 1 }],
  ])("is rebuilt as JSON would have it: %s", async (_, input, expected) => {
    const [id, holdfast] = [newId(), await open()];
    await holdfast.run(id, () => ask(input));
    expect(await holdfast.request(id, "model#0")).toStrictEqual(expected);
  });

  test.each<[string, unknown, unknown]>([
    ["dates", new Date(1), new Date(2)],
    ["maps", new Map([["a", 1]]), new Map([["a", 2]])],
    ["records with another field called call", { call: "a" }, { call: "b" }],
  ])("is another one where it is another of two %s", async (_, one, other) => {
    const id = await interruptRun(async (interrupt) => {
      await ask(one);
      await interrupt();
    });
    await expect((await open({ drift: "fail" })).run(id, () => ask(other))).rejects.toThrow("(DRIFTED)");
  });

  test("is another one where another model is asked, also with a field called call", async () => {
    const id = await interruptRun(async (interrupt) => {
      await ask({ call: "x" }, undefined, "acme/small");
      await interrupt();
    });
    const again = (await open({ drift: "fail" })).run(id, () => ask({ call: "x" }, undefined, "acme/large"));
    await expect(again).rejects.toThrow("(DRIFTED)");
  });

  test("is asked of a call that was recorded, of a model, in a run that is there", async () => {
    const [id, holdfast] = [newId(), await open()];
    await holdfast.run(id, async () => {
      await ask({ a: 1 });
      await port().step({ kind: "step", name: "look", input: 1 }, () => 1);
      await outcomeOf(ask({ a: 2 }, () => Promise.reject(new Error("overloaded"))));
    });
    await expect(holdfast.request(newId(), "model#0")).rejects.toThrow("(RUN_NOT_FOUND)");
    for (const key of ["look#0", "model#1", "model", ""]) {
      await expect(holdfast.request(id, key)).rejects.toThrow("(INVALID_ARGUMENT)");
    }
  });

  test("that drifted shows what was asked when the record was made", async () => {
    const id = await interruptRun(async (interrupt) => {
      await ask({ messages: [message(0)] });
      await interrupt();
    });
    const holdfast = await open();
    await holdfast.run(id, async () => {
      await ask({ messages: [message(1)] });
      await ask({ messages: [message(1), message(2)] });
    });
    expect(await rebuilt(holdfast, id)).toStrictEqual([
      { messages: [message(0)] },
      { messages: [message(1), message(2)] },
    ]);
  });
});

describe("what is kept of a run's requests", () => {
  test("grows with what is new in them, and not with the square of their number", async () => {
    const holdfast = await open();
    const sizeOf = async (turns: number) => {
      const id = newId();
      await holdfast.run(id, async () => {
        await converse(turns);
      });
      return await bytesOf(id);
    };
    const [hundred, twoHundred] = [await sizeOf(100), await sizeOf(200)];
    expect(hundred).toBeGreaterThan(0);
    expect(twoHundred / hundred).toBeLessThan(2.2);
  }, 30_000);

  test("grows so also where a process goes on that knows nothing of what was asked", async () => {
    const id = await interruptRun(async (interrupt) => {
      await converse(40);
      await interrupt();
    });
    const before = await bytesOf(id);
    const holdfast = await open();
    await holdfast.run(id, async () => {
      await converse(80);
    });
    expect((await bytesOf(id)) / before).toBeLessThan(2.2);
  }, 30_000);

  test("goes on from the list that is kept, where a process goes on that has only replayed it", async () => {
    const id = await interruptRun(async (interrupt) => {
      await converse(6);
      await interrupt();
    });
    const wholeLists = async () =>
      (await blobsOf(id)).filter(({ value }) => value.startsWith('{"after":null'));
    const before = await wholeLists();
    await (await open()).run(id, async () => {
      await converse(12);
    });
    expect(await wholeLists()).toEqual(before);
  });

  test("is each part once", async () => {
    const [id, holdfast] = [newId(), await open()];
    await holdfast.run(id, () => converse(3));
    const [one] = await sql<{ n: number }>(
      "select count(*)::int as n from holdfast.blobs join holdfast.runs using (run) where run_id = $1 and value like '%message 0:%'",
      [id],
    );
    expect(one).toEqual({ n: 1 });
  });

  test("is nothing of what was asked and not recorded", async () => {
    const [id, holdfast] = [newId(), await open()];
    const fail = () => Promise.reject(new Error("overloaded"));
    await holdfast.run(id, () => outcomeOf(ask({ messages: [message(0)] }, fail)));
    expect(await blobsOf(id)).toEqual([]);
  });

  test("can be neither changed nor deleted", async () => {
    const [id, holdfast] = [newId(), await open()];
    await holdfast.run(id, () => ask({ messages: [message(0)] }));
    const before = await blobsOf(id);
    const refused = { code: "HF001" };
    await expect(sql("update holdfast.blobs set value = ''")).rejects.toMatchObject(refused);
    await expect(sql("delete from holdfast.blobs")).rejects.toMatchObject(refused);
    await expect(sql("truncate holdfast.blobs")).rejects.toMatchObject(refused);
    expect(await blobsOf(id)).toEqual(before);
  });

  test.each<[string, string]>([
    ["a list", "value like '{\"after\"%'"],
    ["a message", "value like '%message 0:%'"],
    ["bytes", "value = encode('\\x000203', 'base64')"],
    ["a field", "value like '%You are a teller%'"],
  ])("and misses %s is known to be corrupt", async (_, where) => {
    const [id, holdfast] = [newId(), await open()];
    await holdfast.run(id, () => ask({ ...settings, messages: [message(0)] }));
    await sql("alter table holdfast.blobs disable trigger blobs_append_only");
    const lost = await sql(
      `delete from holdfast.blobs b using holdfast.runs r
        where b.run = r.run and run_id = $1 and ${where} returning hash`,
      [id],
    );
    await sql("alter table holdfast.blobs enable trigger blobs_append_only");
    expect(lost.length).toBeGreaterThan(0);
    await expect(holdfast.request(id, "model#0")).rejects.toMatchObject({
      code: "LEDGER_CORRUPT",
      details: { runId: id, seq: 3 },
    });
  });
});

test("a model call is made again neither for a message that says the same in another order of fields", async () => {
  const { calls, does } = counter();
  const id = await interruptRun(async (interrupt) => {
    await ask({ messages: [{ role: "user", content: "a" }] }, does("model", 1));
    await interrupt();
  });
  const again = () => ask({ messages: [{ content: "a", role: "user" }] }, does("model"));
  expect(await (await open({ drift: "fail" })).run(id, again)).toBe(1);
  expect(calls).toEqual(["model"]);
});
