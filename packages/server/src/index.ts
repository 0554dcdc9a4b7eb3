// The API, to mount and to serve
export { type Api, type ApiOptions, createApi } from "./api.ts";
export { type Server, serve, type ServeOptions } from "./serve.ts";
export { builtDashboard } from "./dashboard.ts";
export type { Log } from "./log.ts";

// Who may ask
export { type Key, keyFrom, newKey, type Scope, SCOPES } from "./keys.ts";
export { createKey, listKeys, revokeKey } from "./store/keys.ts";
export { serverTables } from "./tables.ts";

// Telling others what is committed
export type { Following } from "./follow/follower.ts";
export { startTraces, type TraceOptions } from "./follow/traces.ts";
export { signatureOf, startWebhook, type WebhookOptions } from "./follow/webhook.ts";

// Asking it
export { type Client, createClient } from "./client.ts";

// What it says
export { asJson, type Shown, shownBy } from "./shown.ts";
export { type Replay, replayHere, type Replaying, type ShownReplay } from "./replay.ts";
export { agentNamed, startByName } from "./start.ts";
export { listAgents, type OfferedAgent } from "./store/agents.ts";
export { type BudgetWindow, listBudgets } from "./store/budgets.ts";
export { type Deed, type Deeds, listDeeds } from "./store/audit.ts";
export { type Flow, type FlowGraph, type FlowPage, getGraph, listFlows } from "./store/flows.ts";
export { type ListedSchedule, listSchedules } from "./store/schedules.ts";
export { getThroughput, type Minute } from "./store/throughput.ts";
export { listWorkers } from "./store/workers.ts";
export { type Why, whyOf } from "./why.ts";
export { statusOf } from "./problem.ts";
