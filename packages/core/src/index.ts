// Opening, and what one has then
export { hf } from "./default.ts";
export type { Doubts, OpenDoubt, Resolved } from "./doubts.ts";
// What goes wrong
export { type ErrorCode, type ErrorDetails, HoldfastError } from "./errors.ts";
export { Holdfast, type HoldfastOptions, openHoldfast, type RunOptions, type Streamed } from "./holdfast.ts";
// Inside a run
// For adapters
export { current, idempotencyKey, now, once, randomUUID, type StepOptions, signal, step } from "./inside.ts";
// The words
export type { CallKind, Effect, Usage } from "./ledger/entry.ts";
export { outsideRun } from "./outside-run.ts";
export type { Port } from "./port.ts";
export type { LedgerEntry, TailOptions } from "./read-ledger.ts";
export type { Retry } from "./retry.ts";
export type { RunStatus, WaitingOn } from "./run/status.ts";
export type { RunFilter, RunList, RunPage, RunSummary, RunView } from "./run-list.ts";
export type { Reconciled, ToolSettings } from "./settings.ts";
export type { Begun, Call, EmittedCall, Live, Recorded } from "./step/call.ts";
