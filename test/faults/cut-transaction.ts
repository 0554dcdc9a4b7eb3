import { HoldfastError, openHoldfast, step, tx } from "@holdfast/core";

/** Has its connection cut in the middle of a transaction, by itself. argv: database, run id */
const [database, runId] = process.argv.slice(2) as [string, string];
const say = (at: string, more: object = {}) => process.stdout.write(`${JSON.stringify({ at, ...more })}\n`);

const hf = await openHoldfast({ database });
const book = async () => {
  const { rows } = await tx().query<{ pid: number }>("select pg_backend_pid() as pid");
  await step("cut", () => say("cutting", { pid: rows[0]?.pid }), { effect: "read" });
  const cut = new Promise((resolve) => tx().once("end", resolve));
  await cut;
  return "booked";
};
try {
  say("value", { value: await hf.run(runId, () => step("book", book, { effect: "transaction" })) });
} catch (error) {
  say("refused", { code: HoldfastError.is(error) ? error.code : String(error) });
}
await hf.close();
process.exit(0);
