import { openHoldfast } from "@holdfast/core";

// #region all
const hf = await openHoldfast({
  database: process.env.DATABASE_URL,
  migrate: true,
  tools: { "lookup_*": { effect: "read" } },
  drift: "accept",
  leaseSeconds: 30,
  graceSeconds: 1,
  redact: ["input.card.number", "*.headers.x-session"],
  maxOutputBytes: 16 * 1024 * 1024,
  outsideRun: "pass",
});
// #endregion

// #region reading
const page = await hf.runs.list({ status: "waiting", waitingOn: "doubt", limit: 50 });
const next = page.cursor === undefined ? [] : await hf.runs.list({ cursor: page.cursor });
for await (const entry of hf.tail("order-42", { after: 3 })) console.log(entry.kind);
// #endregion
console.log(next.length);

// #region request
for (const entry of await hf.entries("order-42")) {
  if (entry.kind !== "observation" || entry.call !== "model") continue;
  console.log(entry.seq, await hf.request("order-42", entry.step));
}
// #endregion
