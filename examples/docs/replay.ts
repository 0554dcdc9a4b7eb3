import { departureText, openHoldfast, runDiffText } from "@holdfast/core";

declare const answer: (input: { question: string }) => Promise<string>;

const hf = await openHoldfast();

// #region trace
const trace = await hf.replay("order-42", answer); // `answer` is given the run's recorded input
if (!trace.follows) for (const departure of trace.departures) console.log(departureText(departure));
// #endregion

// #region diff
console.log(runDiffText(await hf.diff("order-42", "order-43")));
// #endregion
await hf.close();
