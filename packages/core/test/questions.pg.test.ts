import { describe, expect, test } from "vitest";
import { type Holdfast, type HoldfastOptions, type Rule, step } from "../src/index.ts";
import { replay } from "../src/ledger/replay.ts";
import { resampledSteps } from "../src/ledger/resample.ts";
import { newQuestion } from "../src/question.ts";
import { expireQuestions } from "../src/store/questions.ts";
import { answered, entriesOf, started, took } from "../src/testing/given.ts";
import { answer, tool } from "./governed.ts";
import { counter, useHoldfast } from "./opened.ts";
import { eventually, newId } from "./store.ts";

const opened = useHoldfast();
const { open, openTapped, sql, stall } = opened;
const ana = { by: "ana" };

const refunds = { name: "refunds", tool: "refund", then: "ask", reason: "It moves money." } as const;

/** A run whose refund waits for a person, and the question it waits for. */
async function asking(
  rule: Partial<Rule> = {},
  options: HoldfastOptions = {},
  input: unknown = { cents: 500 },
) {
  const [id, holdfast] = [newId(), await open({ policy: [{ ...refunds, ...rule }], ...options })];
  const calls: unknown[] = [];
  const work = () => tool("refund", input, (given) => calls.push(given) && "paid", { check: takesCents });
  const run = (on: Holdfast = holdfast) => on.run(id, work);
  const error = await run().catch((error) => error);
  return { id, holdfast, calls, run, error, question: error.details?.questions[0] as string };
}

const takesCents = (input: unknown) =>
  typeof (input as { cents: unknown }).cents === "number"
    ? ({ ok: true, input } as const)
    : ({ ok: false, why: "cents is no number" } as const);

const told = async (holdfast: Holdfast, id: string) =>
  (await holdfast.entries(id)).filter(({ kind }) =>
    ["question", "answer", "intent", "refusal"].includes(kind),
  );

/** As if this question's time were over. */
const expire = (question: string) =>
  sql("update holdfast.questions set expires_at = now() - interval '1 second' where question = $1", [
    question,
  ]);

describe("a run that asks", () => {
  test("parks, and says what it asks", async () => {
    const { id, holdfast, error, question, calls } = await asking();
    expect(error).toMatchObject({
      code: "RUN_WAITING",
      details: { runId: id, waitingOn: "approval", questions: [question] },
    });
    expect(calls).toEqual([]);
    expect(await holdfast.runs.get(id)).toMatchObject({ status: "waiting", waitingOn: "approval" });
    expect(await holdfast.questions.list({ runId: id })).toMatchObject([
      {
        id: question,
        runId: id,
        asks: "approval",
        name: "refund",
        input: { cents: 500 },
        question: "May refund be called? It moves money.",
        decision: { then: "ask", rule: "refunds" },
      },
    ]);
  });

  test("asks the same question however often it is run before there is an answer", async () => {
    const { id, holdfast, question, run } = await asking();
    await expect(run()).rejects.toMatchObject({ details: { questions: [question] } });
    await expect(run(await open())).rejects.toMatchObject({ details: { questions: [question] } });
    expect(await holdfast.questions.list({ runId: id })).toHaveLength(1);
  });

  test("goes on when it is answered, and its call goes out once", async () => {
    const { id, holdfast, question, run, calls } = await asking();
    await holdfast.questions.answer(question, { approve: true, ...ana, comment: "looked at it" });
    expect(await holdfast.runs.get(id)).toMatchObject({ status: "waiting", waitingOn: "caller" });
    expect([await run(), await run()]).toEqual(["paid", "paid"]);
    expect(calls).toEqual([{ cents: 500 }]);
    expect(await told(holdfast, id)).toMatchObject([
      { kind: "question", question },
      { kind: "answer", question, says: "approved", by: "ana", comment: "looked at it" },
      { kind: "intent", question, decision: { then: "ask", rule: "refunds" } },
    ]);
    expect(await holdfast.questions.list({ runId: id })).toEqual([]);
  });

  test("does not make a call that is not approved, and tells why", async () => {
    const { id, holdfast, question, run, calls } = await asking();
    await holdfast.questions.answer(question, { approve: false, ...ana, comment: "not this customer" });
    await expect(run()).rejects.toThrow("ana did not approve it: not this customer. (POLICY_DENIED)");
    expect(calls).toEqual([]);
    expect(await told(holdfast, id)).toMatchObject([
      { kind: "question" },
      { kind: "answer" },
      { kind: "refusal", question },
    ]);
  });

  test("that is answered while it still settles goes on without having parked", async () => {
    const [id, holdfast] = [newId(), await open({ policy: [refunds] })];
    const [underWay, done] = [Promise.withResolvers<void>(), Promise.withResolvers<string>()];
    const running = holdfast.run(id, () =>
      Promise.all([
        tool("refund", {}, () => "paid"),
        tool("look", {}, () => {
          underWay.resolve();
          return done.promise;
        }),
      ]),
    );
    await underWay.promise;
    await eventually(async () => (await holdfast.questions.list({ runId: id })).length > 0);
    const [question] = await holdfast.questions.list({ runId: id });
    await holdfast.questions.answer(question?.id ?? "", { approve: true, ...ana });
    done.resolve("seen");
    expect(await running).toEqual(["paid", "seen"]);
    expect((await holdfast.entries(id)).filter(({ kind }) => kind === "note")).toEqual([]);
  });

  test("lets siblings that are allowed settle first, all of one answer having been decided", async () => {
    const [id, holdfast] = [newId(), await open({ policy: [refunds] })];
    const { calls, does } = counter();
    const two = [
      { id: "1", name: "look", input: "{}" },
      { id: "2", name: "refund", input: "{}" },
    ];
    const work = async () => {
      await answer(two);
      return await Promise.all([
        tool("look", {}, does("look", "seen"), { id: "1" }),
        tool("refund", {}, does("refund", "paid"), { id: "2" }),
      ]);
    };
    await expect(holdfast.run(id, work)).rejects.toThrow("(RUN_WAITING)");
    expect(calls).toEqual(["look"]);
    expect((await told(holdfast, id)).map(({ kind }) => kind)).toEqual(["question", "intent"]);
    const [question] = await holdfast.questions.list({ runId: id });
    await holdfast.questions.answer(question?.id ?? "", { approve: true, ...ana });
    expect(await holdfast.run(id, work)).toEqual(["seen", "paid"]);
    expect(calls).toEqual(["look", "refund"]);
  });

  test("asks about all calls of one answer at once", async () => {
    const [id, holdfast] = [newId(), await open({ policy: [refunds] })];
    const two = [1, 2].map((n) => ({ id: `${n}`, name: "refund", input: `{"to":${n}}` }));
    const work = async () => {
      await answer(two);
      return await Promise.all(
        [1, 2].map((n) =>
          tool("refund", { to: n }, () => `paid ${n}`, { id: `${n}` }).catch(() => `not ${n}`),
        ),
      );
    };
    await expect(holdfast.run(id, work)).rejects.toThrow("(RUN_WAITING)");
    const questions = await holdfast.questions.list({ runId: id });
    expect(questions.map(({ input }) => input)).toEqual([{ to: 1 }, { to: 2 }]);
    await holdfast.questions.answer(questions[0]?.id ?? "", { approve: false, ...ana });
    await expect(holdfast.run(id, work)).rejects.toMatchObject({
      details: { questions: [questions[1]?.id] },
    });
    await holdfast.questions.answer(questions[1]?.id ?? "", { approve: true, ...ana });
    expect(await holdfast.run(id, work)).toEqual(["not 1", "paid 2"]);
  });
});

describe("an answer", () => {
  test("counts once: of two at the same time one wins, and the other is told", {
    timeout: 30_000,
  }, async () => {
    for (let round = 0; round < 10; round++) {
      const { id, holdfast, question } = await asking();
      const other = await open();
      const answers = await Promise.allSettled([
        holdfast.questions.answer(question, { approve: true, ...ana }),
        other.questions.answer(question, { approve: false, by: "ben" }),
      ]);
      const lost = answers.flatMap((answer) => (answer.status === "rejected" ? [answer.reason.code] : []));
      expect(lost).toEqual(["QUESTION_ANSWERED"]);
      expect((await told(holdfast, id)).filter(({ kind }) => kind === "answer")).toHaveLength(1);
      await Promise.all([holdfast.close(), other.close()]);
    }
  });

  test("by the same person a second time is told that the first counts", async () => {
    const { holdfast, question } = await asking();
    await holdfast.questions.answer(question, { approve: true, ...ana });
    await expect(holdfast.questions.answer(question, { approve: true, ...ana })).rejects.toThrow(
      "(QUESTION_ANSWERED)",
    );
  });

  test.each<[string, unknown]>([
    ["nobody", { approve: true }],
    ["an input, where an approval is asked for", { value: 7, by: "ana" }],
    ["neither yes nor no", { approve: "yes", by: "ana" }],
  ])("from %s is no answer", async (_, answering) => {
    const { holdfast, question } = await asking();
    await expect(holdfast.questions.answer(question, answering as never)).rejects.toThrow(
      "(INVALID_ARGUMENT)",
    );
  });

  test("to a question that nobody asked is no answer", async () => {
    await expect((await open()).questions.answer("q_1", { approve: true, ...ana })).rejects.toThrow(
      "(INVALID_ARGUMENT)",
    );
  });
});

describe("an approval holds for one call under one policy", () => {
  /** The same call, asked anew by a process with other settings, once the first question was approved. */
  async function later(options: HoldfastOptions, input: unknown = { cents: 500 }) {
    const { id, holdfast, question, calls } = await asking();
    await holdfast.questions.answer(question, { approve: true, ...ana });
    const other = await open(options);
    const error = await other
      .run(id, () => tool("refund", input, (given) => calls.push(given), { check: takesCents }))
      .catch((error) => error);
    return { question, calls, error };
  }

  test("and not under another one: the question is asked anew", async () => {
    const { question, calls, error } = await later({ policy: [{ ...refunds, reason: "Other rules." }] });
    expect(error).toMatchObject({ code: "RUN_WAITING" });
    expect(error.details.questions).not.toContain(question);
    expect(calls).toEqual([]);
  });

  test("with these arguments: with others the run diverges", async () => {
    const { calls, error } = await later({ policy: [refunds] }, { cents: 500_000 });
    expect(error).toMatchObject({ code: "DIVERGED" });
    expect(calls).toEqual([]);
  });

  test("with these arguments, also where a business key says that it is the same effect: it is asked anew", async () => {
    const tools = { refund: { key: ({ order }: { order: string }) => order } };
    const [id, holdfast] = [newId(), await open({ policy: [refunds], tools })];
    const { calls, does } = counter();
    const run = (cents: number) =>
      holdfast.run(id, () => tool("refund", { order: "7", cents }, does(`${cents}`)));
    await run(500).catch(() => {});
    const [first] = await holdfast.questions.list({ runId: id });
    await holdfast.questions.answer(first?.id ?? "", { approve: true, ...ana });
    await expect(run(500_000)).rejects.toThrow("(RUN_WAITING)");
    const [second] = await holdfast.questions.list({ runId: id });
    expect(second).toMatchObject({ input: { cents: 500_000 } });
    expect(second?.id).not.toBe(first?.id);
    expect(calls).toEqual([]);
  });
});

describe("a question whose policy is another by now", () => {
  test("is taken back where the new one allows the call", async () => {
    const { id, question, run } = await asking();
    const other = await open({ policy: [{ ...refunds, then: "allow" }] });
    await sql("update holdfast.runs set waiting_on = 'caller' where run_id = $1", [id]);
    expect(await run(other)).toBe("paid");
    expect((await told(other, id)).map((entry) => ("says" in entry ? entry.says : entry.kind))).toEqual([
      "question",
      "withdrawn",
      "intent",
    ]);
    await expect(other.questions.answer(question, { approve: false, ...ana })).rejects.toThrow(
      "(QUESTION_ANSWERED)",
    );
  });
});

describe("a question that needs several people", () => {
  const two = { need: 2, of: ["ana", "ben", "cleo"] };

  test("is through when enough of them have approved", async () => {
    const { id, holdfast, question, run, calls } = await asking(two);
    await holdfast.questions.answer(question, { approve: true, ...ana });
    await expect(run()).rejects.toMatchObject({ details: { waitingOn: "approval", questions: [question] } });
    expect(await holdfast.questions.list({ runId: id })).toMatchObject([{ need: 2, approved: ["ana"] }]);
    await holdfast.questions.answer(question, { approve: true, by: "cleo" });
    expect(await run()).toBe("paid");
    expect(calls).toHaveLength(1);
  });

  test("counts each of them once", async () => {
    const { holdfast, question } = await asking(two);
    const twice = [1, 2].map(() => holdfast.questions.answer(question, { approve: true, ...ana }));
    const lost = (await Promise.allSettled(twice)).filter(({ status }) => status === "rejected");
    expect(lost).toMatchObject([{ reason: { code: "QUESTION_ANSWERED" } }]);
  });

  test("is not through at the word of somebody else", async () => {
    const { holdfast, question } = await asking(two);
    await expect(holdfast.questions.answer(question, { approve: true, by: "mallory" })).rejects.toThrow(
      "(COMMAND_NOT_ALLOWED)",
    );
  });

  test("is answered by a single no", async () => {
    const { holdfast, question, run } = await asking(two);
    await holdfast.questions.answer(question, { approve: true, ...ana });
    await holdfast.questions.answer(question, { approve: false, by: "ben" });
    await expect(run()).rejects.toThrow("ben did not approve it");
  });

  test("cannot be approved with other arguments: the others would not have seen them", async () => {
    const { holdfast, question } = await asking(two);
    const changed = { approve: true, input: { cents: 1 }, ...ana } as const;
    await expect(holdfast.questions.answer(question, changed)).rejects.toThrow("(INVALID_ARGUMENT)");
  });
});

describe("a question whose time is over", () => {
  test("cannot be answered any more, and its call is refused", async () => {
    const { holdfast, question, run, calls } = await asking({ expiresIn: "1h" });
    await expire(question);
    await expect(holdfast.questions.answer(question, { approve: true, ...ana })).rejects.toThrow(
      "(QUESTION_EXPIRED)",
    );
    await expect(run()).rejects.toThrow("nobody approved it in time");
    expect(calls).toEqual([]);
  });

  test("wakes its run wherever somebody's heart beats", async () => {
    const { id, question } = await asking({ expiresIn: "1h" });
    const witness = await open({ leaseSeconds: 1 });
    await witness.run(newId(), () => 1);
    await expire(question);
    await eventually(async () => (await witness.runs.get(id)).waitingOn === "caller");
    const answers = (await told(witness, id)).filter(({ kind }) => kind === "answer");
    expect(answers).toMatchObject([{ says: "expired", by: "holdfast" }]);
  });
});

test("questions of runs that ended, however many, keep none from being closed whose time is over", async () => {
  const [ended, holdfast] = [newId(), await open()];
  await holdfast.run(ended, () => 1);
  await sql(
    `insert into holdfast.questions (question, run, seq, step, need, expires_at)
     select run_id || n, run, 1, 'ask#' || n, 1, now() - interval '1 hour'
       from holdfast.runs, generate_series(1, 100) n
      where run_id = $1`,
    [ended],
  );
  const { id, question } = await asking({ expiresIn: "1h" });
  await expire(question);
  await expireQuestions(opened.db);
  expect(await holdfast.runs.get(id)).toMatchObject({ waitingOn: "caller" });
});

describe("arguments that whoever approves changes", () => {
  test("are what the tool is called with, and stand in the ledger", async () => {
    const { id, holdfast, question, run, calls } = await asking();
    await holdfast.questions.answer(question, { approve: true, input: { cents: 400 }, ...ana });
    expect(await run()).toBe("paid");
    expect(calls).toEqual([{ cents: 400 }]);
    expect(await told(holdfast, id)).toMatchObject([
      { kind: "question", input: { cents: 500 } },
      { kind: "answer", input: { cents: 400 } },
      { kind: "intent", input: { cents: 400 } },
    ]);
  });

  test("are asked about anew where the tool does not take them", async () => {
    const { id, holdfast, question, run, calls } = await asking();
    await holdfast.questions.answer(question, { approve: true, input: { cents: "few" }, ...ana });
    const error = await run().catch((error) => error);
    expect(error).toMatchObject({ code: "RUN_WAITING" });
    const [again] = error.details.questions;
    expect(again).not.toBe(question);
    const [asked] = await holdfast.questions.list({ runId: id });
    expect(asked?.question).toContain("cents is no number");
    await holdfast.questions.answer(again, { approve: true, ...ana });
    await run();
    expect(calls).toEqual([{ cents: 500 }]);
  });

  test("are still denied by a rule that denies them", async () => {
    const [id, holdfast] = [
      newId(),
      await open({ policy: [{ tool: "refund", when: large, then: "deny" }, refunds] }),
    ];
    const { calls, does } = counter();
    const run = () => holdfast.run(id, () => tool("refund", { cents: 500 }, does("refund")));
    await run().catch(() => {});
    const [question] = await holdfast.questions.list({ runId: id });
    const input = { cents: 500_000 };
    await holdfast.questions.answer(question?.id ?? "", { approve: true, input, ...ana });
    await expect(run()).rejects.toThrow("(POLICY_DENIED)");
    expect(calls).toEqual([]);
  });
});

const large = ({ input }: { input: { cents: number } }) => input.cents > 10_000;

test("questions of a run that is deleted are gone with it", async () => {
  const { id, holdfast, question, run } = await asking();
  await holdfast.questions.answer(question, { approve: true, ...ana });
  await run();
  await holdfast.runs.delete(id);
  await expect(holdfast.questions.answer(question, { approve: true, ...ana })).rejects.toThrow(
    "(INVALID_ARGUMENT)",
  );
});

test("the same call begun twice at once is decided once, asked about once, and made once", async () => {
  const [id, holdfast] = [
    newId(),
    await open({ policy: [refunds], tools: { refund: { key: () => "order-7" } } }),
  ];
  const { calls, does } = counter();
  const work = () => Promise.all([1, 2].map(() => tool("refund", { cents: 5 }, does("refund", "paid"))));
  await holdfast.run(id, work).catch(() => {});
  const [question, ...more] = await holdfast.questions.list({ runId: id });
  expect(more).toEqual([]);
  await holdfast.questions.answer(question?.id ?? "", { approve: true, ...ana });
  expect(await holdfast.run(id, work)).toEqual(["paid", "paid"]);
  expect(calls).toEqual(["refund"]);
});

test("two calls of one answer with one business key are asked about once, and a no holds for both", async () => {
  const options = { policy: [refunds], tools: { refund: { key: () => "order-7" } } };
  const [id, holdfast] = [newId(), await open(options)];
  const { calls, does } = counter();
  const work = async () => {
    const ids = ["1", "2"];
    await answer(ids.map((id) => ({ id, name: "refund", input: '{"cents":5}' })));
    return await Promise.allSettled(
      ids.map((id) => tool("refund", { cents: 5 }, does("refund", "paid"), { id })),
    );
  };
  await holdfast.run(id, work).catch(() => {});
  const [question, ...more] = await holdfast.questions.list({ runId: id });
  expect(more).toEqual([]);
  await holdfast.questions.answer(question?.id ?? "", { approve: false, ...ana });
  expect((await holdfast.run(id, work)).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(calls).toEqual([]);
});

test("a call that is decided once its run has parked is asked about when the run goes on", async () => {
  const deciding = Promise.withResolvers<void>();
  const late = Promise.withResolvers<string>();
  const policy = async ({ tool }: { tool: string }) => {
    if (tool === "slow") await deciding.promise;
    return "ask" as const;
  };
  let sent = 0;
  const holdfast = await openTapped(
    async (_, send) => {
      sent++;
      return await send();
    },
    { policy },
  );
  const id = newId();
  const look = () =>
    step("look", () => Promise.race([tool("quick", {}, () => 1), late.promise]), { effect: "read" });
  const running = holdfast.run(id, () => Promise.all([look(), tool("slow", {}, () => 2)]));
  await expect(running).rejects.toMatchObject({ code: "RUN_WAITING", details: { waitingOn: "approval" } });
  const parked = sent;
  deciding.resolve();
  for (let i = 0; i < 50; i++) await sql("select");
  expect(sent - parked).toBeLessThan(25);
  // And what still comes of a call that was under way is let in.
  late.resolve("seen");
  await eventually(async () => (await holdfast.entries(id)).some(({ kind }) => kind === "observation"));
  await expect(holdfast.run(id, () => Promise.all([look(), tool("slow", {}, () => 2)]))).rejects.toThrow(
    "(RUN_WAITING)",
  );
  expect((await holdfast.questions.list({ runId: id })).map(({ step }) => step)).toContain("slow#0");
});

test("an owner that was taken over asks nobody", async () => {
  const [id, first, second] = [newId(), await open({ policy: [refunds] }), await open()];
  const [underWay, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const running = first.run(id, async () => {
    underWay.resolve();
    await goOn.promise;
    return await tool("refund", {}, () => "paid");
  });
  running.catch(() => {});
  await underWay.promise;
  await stall(id);
  const taken = Promise.withResolvers<void>();
  const next = second.run(id, async () => {
    taken.resolve();
    await running.catch(() => {});
    return "done";
  });
  await taken.promise;
  goOn.resolve();
  await expect(running).rejects.toMatchObject({
    code: expect.stringMatching(/^(FENCED|DATABASE_UNAVAILABLE)$/),
  });
  expect(await second.questions.list({ runId: id })).toEqual([]);
  expect(await next).toBe("done");
});

describe("a run that failed and is tried again", () => {
  const asks = (input: string) => answer([{ id: "1", name: "refund", input }]);

  test("sets aside what was refused of an answer that is set aside", async () => {
    const policy = [{ tool: "refund", when: large, then: "deny" }] as const;
    const [id, holdfast] = [newId(), await open({ policy })];
    await holdfast
      .run(id, async () => {
        await asks('{"cents":50000}');
        await tool("refund", { cents: 50_000 }, () => 1, { id: "1" });
      })
      .catch(() => {});
    expect(await holdfast.runs.get(id)).toMatchObject({ status: "failed" });
    const again = holdfast.run(id, async () => {
      await asks('{"cents":5}');
      return await tool("refund", { cents: 5 }, () => "paid", { id: "1" });
    });
    expect(await again).toBe("paid");
  });

  test("keeps an answer that led to a question which is not through", async () => {
    const run = replay(
      entriesOf(
        started,
        took(),
        answered("model#0", "refund it"),
        { ...questionAbout("model#0/refund:1") },
        answered("other.0/model#0", "elsewhere"),
      ),
    );
    expect(resampledSteps(run)).toEqual(["other.0/model#0"]);
  });
});

const questionAbout = (step: string) =>
  newQuestion({ asks: "approval", step, call: "tool", name: "refund", digest: "d", text: "?" });
