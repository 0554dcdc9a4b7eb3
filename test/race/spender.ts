import { current, openHoldfast, usd } from "@holdfast/core";

/*
 * One of many processes whose runs, all at once, share one budget. Each asks two models side by side and pays with a tool.
 * argv: database, the tag, the shared cap in micro-dollars, a number of its own, how many runs
 */
const [database, tag, cap, mine, runs] = process.argv.slice(2) as [string, string, string, string, string];
const say = (at: string, more: object = {}) => process.stdout.write(`${JSON.stringify({ at, ...more })}\n`);

const hf = await openHoldfast({
  database,
  graceSeconds: 0.1,
  prices: { m: { inputPerMillion: 0, outputPerMillion: usd(10) } },
  budget: { onLow: "fail" },
  budgets: [{ scope: { tag }, per: "month", cap: Number(cap) }],
  tools: { pay: { effect: "idempotent", cost: () => 70 } },
});

/** A model that is held for at 400 micro-dollars and uses up to that. */
const ask = (prompt: string) =>
  current()?.step<number>(
    {
      kind: "model",
      name: "acme/m",
      input: { prompt },
      model: { provider: "acme", model: "m", maxOutputTokens: 40 },
      usage: (outputTokens) => ({ inputTokens: 1, outputTokens }),
    },
    async () => {
      say("asked");
      await new Promise((resolve) => setImmediate(resolve));
      return 1 + Math.floor(Math.random() * 40);
    },
  );

const pay = () => current()?.step({ kind: "tool", name: "pay", input: {} }, () => "paid");

say("ready");
let refused = 0;
const work = async () => {
  await Promise.all([ask("a"), ask("b")]);
  await pay();
  await ask("c");
};
// A run that was taken over meanwhile, or that is too dear, is not this process' any more.
const spend = (i: number) =>
  hf.run(`spender-${mine}-${i}`, work, { tags: [tag], onLeased: "wait" }).catch(() => refused++);
await Promise.all(Array.from({ length: Number(runs) }, (_, i) => spend(i)));
say("done", { refused });
await hf.close();
process.exit(0);
