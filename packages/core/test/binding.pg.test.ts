import fc from "fast-check";
import { expect, test } from "vitest";
import { tool } from "./governed.ts";
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
