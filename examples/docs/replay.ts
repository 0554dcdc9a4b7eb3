import { departureText, openHoldfast, runDiffText } from "@holdfast/core";
import { answer } from "./support.ts";

const hf = await openHoldfast();

// #region trace
const trace = await hf.replay("order-42", answer); // `answer` is given the run's recorded input
if (!trace.follows) for (const departure of trace.departures) console.log(departureText(departure));
// #endregion

// #region diff
console.log(runDiffText(await hf.diff("order-42", "order-43")));
// #endregion

// #region fork
const fork = await hf.fork("order-42", {
  at: 17, // the last entry that both runs share
  set: { steps: { "model#0/look_up:call_1": { output: { price: 6 } } } },
});
await hf.run(fork.id, () => answer({ question: "How much is it?" }));
// #endregion

// #region counterfactual
const cheaper = await hf.replay("order-42", answer, {
  mode: "counterfactual",
  set: { steps: { "model#0/look_up:call_1": { output: { price: 6 } } } },
  stubs: { issue_refund: () => "refunded" },
});
console.log(cheaper.value, runDiffText(cheaper.diff));
// #endregion

// #region export
await hf.exportRun("order-42", {
  to: "src/order-42.jsonl",
  redact: ["input.customer", /\b\d{16}\b/], // a path, and whatever looks like a card number
  vitest: { import: "answer", from: "./support.ts" },
});
// #endregion

// #region import
const id = await hf.importRun("order-42.jsonl"); // its id, unless you name another
// #endregion
console.log(id);
await hf.close();
