import fc from "fast-check";
import { expect, test } from "vitest";
import { answer, tool } from "./governed.ts";
import { useHoldfast } from "./opened.ts";
import { newId } from "./store.ts";

const { open } = useHoldfast();

/** A call, and what it is decided under. A business key makes all of them one step, whatever their arguments. */
const call = fc.record({
  cents: fc.constantFrom(500, 501, 500_000),
  to: fc.constantFrom("ana", "ben"),
  version: fc.constantFrom<"1" | "2">("1", "2"),
});

test("an approval lets out the call that it was given for, and no other", { timeout: 60_000 }, async () => {
  const tools = { pay: { key: () => "order-7" } };
  const under = (policyVersion: string) =>
    open({ policy: [{ tool: "pay", then: "ask" }], policyVersion, tools });
  const holdfasts = { "1": await under("1"), "2": await under("2") };

  await fc.assert(
    fc.asyncProperty(call, call, async (first, second) => {
      const id = newId();
      const paid: unknown[] = [];
      const attempt = ({ version, ...input }: typeof first) =>
        holdfasts[version]
          .run(id, () => tool("pay", input, (given) => paid.push(given)))
          .then(
            () => "paid",
            (error) => error.code as string,
          );
      expect(await attempt(first)).toBe("RUN_WAITING");
      const [question] = await holdfasts["1"].questions.list({ runId: id });
      await holdfasts["1"].questions.answer(question?.id ?? "", { approve: true, by: "ana" });

      const isSame = JSON.stringify(first) === JSON.stringify(second);
      const { version: _, ...input } = second;
      expect(await attempt(second)).toBe(isSame ? "paid" : "RUN_WAITING");
      expect(paid).toEqual(isSame ? [input] : []);
    }),
    { numRuns: 60 },
  );
});

test("what the framework asks about is asked anew where it does not hold, though the framework says nothing more", async () => {
  const tools = { pay: { key: () => "order-7" } };
  const policy = [{ tool: "delete_*", then: "deny" }] as const;
  const [first, second] = [
    await open({ policy, policyVersion: "1", tools }),
    await open({ policy, policyVersion: "2", tools }),
  ];
  const paid: unknown[] = [];
  const id = newId();
  const says = () => ({ then: "ask", rule: "its own" }) as const;
  const pay = (cents: number) => tool("pay", { cents }, (given) => paid.push(given));
  await expect(first.run(id, () => tool("pay", { cents: 5 }, () => 0, { says }))).rejects.toThrow(
    "(RUN_WAITING)",
  );
  const approve = async () => {
    const [question] = await first.questions.list({ runId: id });
    expect(question?.decision).toMatchObject({ rule: "its own", own: true });
    await first.questions.answer(question?.id ?? "", { approve: true, by: "ana" });
  };
  await approve();
  await expect(first.run(id, () => pay(500_000))).rejects.toThrow("(RUN_WAITING)"); // with other arguments
  await approve();
  await expect(second.run(id, () => pay(500_000))).rejects.toThrow("(RUN_WAITING)"); // under another policy
  expect(paid).toEqual([]);
  await approve();
  await second.run(id, () => pay(500_000));
  expect(paid).toEqual([{ cents: 500_000 }]);
});

/** What becomes of a call that an answer asks for with 5 cents. */
async function emitted(call: () => Promise<unknown>) {
  const policy = [
    { tool: "pay", when: ({ input }: { input: { cents: number } }) => input.cents > 100, then: "deny" },
  ] as const;
  const holdfast = await open({ policy });
  const work = async () => {
    await answer([{ id: "1", name: "pay", input: { cents: 5 } }]);
    return await call();
  };
  return await holdfast.run(newId(), work).catch((error: { code: string; message: string }) => error);
}

test("what was decided ahead is decided anew where the call comes with other arguments", async () => {
  expect(await emitted(() => tool("pay", { cents: 5 }, () => "paid", { id: "1" }))).toBe("paid");
  const denied = await emitted(() => tool("pay", { cents: 500 }, () => "paid", { id: "1" }));
  expect(denied).toMatchObject({ code: "POLICY_DENIED" });
});

test("what was decided ahead is decided anew where the framework's own approval comes only with the call", async () => {
  const says = () => ({ then: "ask", rule: "its own" }) as const;
  const asked = await emitted(() => tool("pay", { cents: 5 }, () => "paid", { id: "1", says }));
  expect(asked).toMatchObject({ code: "RUN_WAITING" });
});

test("an approval of the framework's own that throws denies, with what it threw", async () => {
  const says = () => {
    throw new Error("no rules today");
  };
  const denied = await emitted(() => tool("pay", { cents: 5 }, () => "paid", { id: "1", says }));
  expect(denied).toMatchObject({ code: "POLICY_DENIED", message: expect.stringContaining("no rules today") });
});
