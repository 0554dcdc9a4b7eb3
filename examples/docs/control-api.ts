import { openHoldfast } from "@holdfast/core";
import { createApi, createClient, keyFrom, serve } from "@holdfast/server";
import { Hono } from "hono";

const hf = await openHoldfast();

// #region mount
const app = new Hono();
app.route("/holdfast", createApi(hf, { redact: ["input.card.number"] }));
// #endregion
console.log(app.routes.length);

// #region serve
const server = await serve(hf, {
  keys: [keyFrom("deploy", ["read", "operate"], process.env.HOLDFAST_DEPLOY_KEY ?? "")],
  hostname: "0.0.0.0",
  port: 7420,
});
process.once("SIGTERM", () => void server.close().then(() => hf.close()));
// #endregion

// #region client
const client = createClient("https://ledger.example", process.env.HOLDFAST_KEY);
const response = await client.v1.runs.$get({ query: { status: "waiting", waitingOn: "doubt" } });
if (response.ok) for (const run of (await response.json()).runs) console.log(run.id, run.seq);
// #endregion
