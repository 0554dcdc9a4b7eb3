import { describe, expect, test } from "vitest";
import type { HoldfastOptions, PolicyCall } from "../src/index.ts";
import { answer, tool } from "./governed.ts";
import { counter, forever, useHoldfast } from "./opened.ts";
import { newId } from "./store.ts";

const { open } = useHoldfast();

/** Runs the tool once under a policy: gives back what came of it, and what the ledger says. */
async function under(options: HoldfastOptions, input: unknown = { cents: 500 }, name = "issue_refund") {
  const [id, holdfast] = [newId(), await open(options)];
  const { calls, does } = counter();
  const work = () => tool(name, input, does(name, "done")).catch((error) => error.message as string);
  const told = await holdfast.run(id, work);
  const entries = (await holdfast.entries(id)).filter(({ kind }) => kind === "intent" || kind === "refusal");
  return { id, work, told, calls, entries };
}

const large = ({ input }: PolicyCall<{ cents: number }>) => input.cents > 50_000;

describe("a call that policy allows", () => {
  test("goes out, and its intent names the rule and the policy's version", async () => {
    const { told, entries } = await under({
      policy: [{ name: "refunds", tool: "issue_*", then: "allow" }],
      policyVersion: "7",
    });
    expect(told).toBe("done");
    expect(entries).toMatchObject([
      { kind: "intent", decision: { then: "allow", rule: "refunds", policy: "7" } },
    ]);
  });

  test("by no rule is allowed by the default, and that is recorded too", async () => {
    const { entries } = await under({ policy: [{ tool: "delete_*", then: "deny" }] });
    expect(entries).toMatchObject([{ kind: "intent", decision: { then: "allow", rule: "default" } }]);
  });
});

describe("a call that policy denies", () => {
  const policy = [{ tool: "issue_refund", when: large, then: "deny", reason: "too much" }] as const;

  test("never goes out, and its caller is told why", async () => {
    const { told, calls, entries } = await under({ policy }, { cents: 60_000 });
    expect(told).toContain("too much");
    expect(told).toContain("(POLICY_DENIED)");
    expect(calls).toEqual([]);
    expect(entries).toMatchObject([
      { kind: "refusal", name: "issue_refund", reason: "too much", input: { cents: 60_000 } },
    ]);
  });

  test("is refused the same way by a replay, whatever the policy says by then", async () => {
    const { id, work, told } = await under({ policy }, { cents: 60_000 });
    expect(await (await open()).run(id, work)).toBe(told);
  });

  test("is refused the same way by an execution that goes on with the run", async () => {
    const [id, strict, lenient] = [newId(), await open({ policy }), await open()];
    const { calls, does } = counter();
    const refund = () =>
      tool("issue_refund", { cents: 60_000 }, does("refund")).catch((error) => error.code as string);
    const refused = Promise.withResolvers<void>();
    strict
      .run(id, async () => {
        await refund();
        refused.resolve();
        return await forever();
      })
      .catch(() => {}); // it is handed over
    await refused.promise;
    await strict.close({ graceSeconds: 0 });
    expect(await lenient.run(id, refund)).toBe("POLICY_DENIED");
    expect(calls).toEqual([]);
  });

  test("is a call that its rule's arguments fit: another is not", async () => {
    expect((await under({ policy }, { cents: 50_000 })).told).toBe("done");
  });
});

describe("of several rules", () => {
  test("the first that applies decides", async () => {
    const policy = [
      { tool: "issue_refund", agent: "night-*", then: "deny" },
      { tool: "issue_refund", then: "allow" },
      { tool: "*", then: "deny" },
    ] as const;
    expect((await under({ policy })).told).toBe("done");
    const denied = await under({ policy }, {}, "something_else");
    expect(denied.entries).toMatchObject([{ kind: "refusal", decision: { rule: "3: * deny" } }]);
  });

  test("one for an agent applies to runs of that agent", async () => {
    const [id, holdfast] = [newId(), await open({ policy: [{ agent: "night-*", then: "deny" }] })];
    const run = holdfast.run(id, () => tool("pay", {}, () => 1), { agent: "night-shift" });
    await expect(run).rejects.toThrow("(POLICY_DENIED)");
  });

  test("one that may be asked anything by a function sees the call and the run", async () => {
    const seen: unknown[] = [];
    const holdfast = await open({
      policy: async (call, run) => {
        seen.push(call, run);
        return undefined;
      },
    });
    const [id, input] = [newId(), { ticket: 7 }];
    await holdfast.run(id, () => tool("pay", { cents: 1 }, () => 1), { agent: "a", tags: ["t:1"], input });
    expect(seen).toMatchObject([
      { tool: "pay", input: { cents: 1 }, effect: "once", runs: "here" },
      { id, agent: "a", tags: ["t:1"], input },
    ]);
  });
});

const LEAKS = "GET https://ana:hunter2-secret@opa.example failed, Authorization: Bearer hunter2-secret";

describe("a policy that cannot decide denies", () => {
  test.each<[string, HoldfastOptions]>([
    [
      "a rule throws",
      { policy: [{ when: () => Promise.reject(new Error("no connection")), then: "allow" }] },
    ],
    ["a rule says neither yes nor no", { policy: [{ when: (() => "yes") as never, then: "allow" }] }],
    ["a rule takes too long", { policy: [{ when: () => forever(), then: "allow" }], policyTimeoutMs: 20 }],
    ["a function throws", { policy: () => Promise.reject(new Error("no connection")) }],
    ["a function says what it cannot say", { policy: (() => "maybe") as never }],
    ["a function says no ruling", { policy: (() => ({ then: "ask", need: 0 })) as never }],
  ])("where %s", async (_, options) => {
    const { calls, entries } = await under(options);
    expect(calls).toEqual([]);
    expect(entries).toMatchObject([{ kind: "refusal", reason: expect.stringContaining("could not decide") }]);
  });

  test.each<[string, HoldfastOptions, Parameters<typeof tool>[3]]>([
    ["a rule", { policy: [{ when: () => Promise.reject(new Error(LEAKS)), then: "allow" }] }, {}],
    ["a function", { policy: () => Promise.reject(new Error(LEAKS)) }, {}],
    ["the framework's own approval", {}, { says: () => Promise.reject(new Error(LEAKS)) }],
  ])("and no secret in what %s threw is recorded or told", async (_, options, more) => {
    const [id, holdfast] = [newId(), await open(options)];
    const work = () => tool("pay", {}, () => 1, more).catch((error) => error.message as string);
    const told = await holdfast.run(id, work);
    expect(told).toContain("could not decide: GET https://[redacted]@opa.example");
    expect(JSON.stringify([told, await holdfast.entries(id)])).not.toContain("hunter2");
  });

  test("where it is told to, by its default", async () => {
    const { calls, entries } = await under({ policyDefault: "deny" });
    expect(calls).toEqual([]);
    expect(entries).toMatchObject([{ kind: "refusal", reason: "no rule names it" }]);
  });
});

test("a policy in shadow decides, and what it would have done is recorded, and lets the call go out", async () => {
  const { told, entries } = await under({ policy: [{ then: "deny", name: "all" }], policyMode: "shadow" });
  expect(told).toBe("done");
  expect(entries).toMatchObject([{ kind: "intent", decision: { then: "deny", rule: "all", shadow: true } }]);
});

test("a policy's version changes with its rules, and with the source of its functions", async () => {
  const versions = await Promise.all(
    (
      [
        [{ then: "allow" }],
        [{ then: "allow", reason: "so" }],
        [{ then: "allow", when: () => true }],
        [{ then: "allow", when: ({ tool }: PolicyCall) => tool !== "" }],
      ] as const
    ).map(async (policy) => {
      const { entries } = await under({ policy });
      return (entries[0] as { decision?: { policy: string } }).decision?.policy;
    }),
  );
  expect(new Set(versions).size).toBe(4);
});

test.each<[string, unknown]>([
  ["no list and no function", "deny"],
  ["a rule without a word", [{ tool: "a" }]],
  ["a rule with a field that there is not", [{ then: "deny", tools: "a" }]],
  [
    "two rules of one name",
    [
      { then: "deny", name: "a" },
      { then: "allow", name: "a" },
    ],
  ],
  ["more approvals than people", [{ then: "ask", need: 3, of: ["ana", "ben"] }]],
  ["a duration that is none", [{ then: "ask", expiresIn: "soon" }]],
  ["a limit that is none", [{ then: "deny", limit: { atMost: -1, per: "run" } }]],
  ["a limit per nothing", [{ then: "deny", limit: { atMost: 1, per: "month" } }]],
])("a policy with %s is refused when Holdfast is opened", async (_, policy) => {
  await expect(open({ policy: policy as never })).rejects.toThrow("(INVALID_ARGUMENT)");
});

describe("tool calls of one model's answer", () => {
  const two = [
    { id: "1", name: "look", input: "{}" },
    { id: "2", name: "pay", input: '{"cents":9}' },
  ];

  test("are all decided before the first of them goes out", async () => {
    const log: string[] = [];
    const policy = async ({ tool }: PolicyCall) => {
      await new Promise(setImmediate);
      log.push(`decide ${tool}`);
      return "allow" as const;
    };
    await (await open({ policy })).run(newId(), async () => {
      await answer(two);
      await tool("look", {}, () => log.push("look"), { id: "1" });
      await tool("pay", { cents: 9 }, () => log.push("pay"), { id: "2" });
    });
    expect(log).toEqual(["decide look", "decide pay", "look", "pay"]);
  });

  test("are decided by the arguments that their tool takes: what its schema refuses, policy never sees", async () => {
    const seen: unknown[] = [];
    const policy = ({ input }: PolicyCall) => {
      seen.push(input);
      return "allow" as const;
    };
    const check = (input: unknown) => {
      const { cents } = input as { cents: unknown };
      return typeof cents === "number"
        ? { ok: true as const, input: { cents, currency: "EUR" } }
        : { ok: false as const, why: "cents is no number" };
    };
    const calls = [
      { id: "1", name: "pay", input: '{"cents":9}', check },
      { id: "2", name: "pay", input: '{"cents":"nine"}', check },
    ];
    await (await open({ policy })).run(newId(), async () => {
      await answer(calls);
      await tool("pay", { cents: 9, currency: "EUR" }, () => 1, { id: "1" });
    });
    expect(seen).toEqual([{ cents: 9, currency: "EUR" }]);
  });

  test("of a tool that the model made up are recorded as refused, with their arguments", async () => {
    const [id, holdfast] = [newId(), await open()];
    await holdfast.run(id, () =>
      answer([{ id: "1", name: "launch", input: '{"now":true}', runs: "nowhere" }]),
    );
    expect((await holdfast.entries(id)).find(({ kind }) => kind === "refusal")).toMatchObject({
      name: "launch",
      input: { now: true },
      reason: expect.stringContaining("made it up"),
    });
  });

  test("that the client runs are not decided here", async () => {
    const [id, holdfast] = [newId(), await open({ policyDefault: "deny" })];
    await holdfast.run(id, async () => {
      await answer([
        { id: "1", name: "confetti", input: "{}", runs: "elsewhere" },
        { id: "2", name: "pay", input: "{}" },
      ]);
      await tool("pay", {}, () => 1, { id: "2" }).catch(() => {});
    });
    const refused = (await holdfast.entries(id)).flatMap((entry) =>
      entry.kind === "refusal" ? [entry.name] : [],
    );
    expect(refused).toEqual(["pay"]);
  });
});
