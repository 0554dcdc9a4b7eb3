import { openHoldfast } from "@holdfast/core";
import { startTraces, startWebhook } from "@holdfast/server";

const hf = await openHoldfast();

// #region start
const traces = await startTraces(hf, { url: "http://collector:4318/v1/traces" });
const webhook = await startWebhook(hf, {
  name: "pager",
  url: "https://pager.example/holdfast",
  secret: process.env.PAGER_SECRET ?? "",
  kinds: ["doubt", "question"],
});
process.once("SIGTERM", () => void Promise.all([traces.stop(), webhook.stop()]).then(() => hf.close()));
// #endregion
