import { expect, test } from "vitest";
import { current } from "../src/index.ts";
import { must } from "../src/must.ts";
import { counter, useHoldfast } from "./opened.ts";
import { newId } from "./store.ts";

const { open } = useHoldfast();

/** A model call in which the provider may search the web. */
const searching = (answer: () => string) =>
  must(current(), "a run").step(
    { kind: "model", name: "acme/m", input: { prompt: "news?" }, hosted: ["web_search"] },
    answer,
  );

test("a tool that the provider runs is decided before the model is asked, by its name", async () => {
  const seen: unknown[] = [];
  const holdfast = await open({
    policy: (call) => {
      seen.push(call);
      return "deny";
    },
  });
  const { calls, does } = counter();
  const id = newId();
  await expect(holdfast.run(id, () => searching(does("ask", "news")))).rejects.toThrow("(POLICY_DENIED)");
  expect(seen).toMatchObject([{ tool: "web_search", input: undefined, runs: "at the provider" }]);
  expect(calls).toEqual([]);

  // The run has failed of it. Tried again under another policy, the model is asked.
  expect(await (await open()).run(id, () => searching(does("ask", "news")))).toBe("news");
});

test("a model call whose provider may run a tool that is asked about waits for an answer", async () => {
  const [id, holdfast] = [newId(), await open({ policy: [{ tool: "web_*", then: "ask" }] })];
  const { calls, does } = counter();
  const run = () => holdfast.run(id, () => searching(does("ask", "news")));
  await expect(run()).rejects.toThrow("(RUN_WAITING)");
  const [question] = await holdfast.questions.list({ runId: id });
  expect(question).toMatchObject({ name: "acme/m", input: ["web_search"] });
  await holdfast.questions.answer(question?.id ?? "", { approve: true, by: "ana" });
  expect([await run(), await run()]).toEqual(["news", "news"]);
  expect(calls).toEqual(["ask"]);
});
