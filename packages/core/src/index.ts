// Opening, and what one has then
export { hf } from "./default.ts";
export { Holdfast, openHoldfast } from "./holdfast.ts";
export type { HoldfastOptions } from "./options.ts";
export type { RunOptions } from "./run-options.ts";
export type { Streamed } from "./inline-runs.ts";
export type { TablesDatabase } from "./connection.ts";
export type { Agent, AgentContext, AgentOptions, Handler } from "./fleet/agent.ts";
export type { By } from "./fleet/commands.ts";
export type { DeadLetter, DeadLetters } from "./fleet/dead-letters.ts";
export type { Flow, FlowNode, FlowOptions } from "./fleet/flow.ts";
export type { Handle } from "./fleet/handle.ts";
export type { ScheduleOptions } from "./fleet/schedules.ts";
export type { StartOptions } from "./fleet/start.ts";
export type { Worker, WorkerOptions } from "./fleet/worker.ts";
export type { Doubts, OpenDoubt, Resolved } from "./doubts.ts";
export type { Asking } from "./asking.ts";
export type { StandardSchema } from "./schema.ts";
export type { Answering, OpenQuestion, Questions } from "./questions.ts";
export type { Decision, Then } from "./policy/decision.ts";
export type { Limit, Policy, PolicyCall, PolicyRun, Rule, Ruling } from "./policy/rule.ts";
export type { LedgerEntry, TailOptions } from "./read-ledger.ts";
export type { RunFilter, RunList, RunPage, RunSummary, RunView } from "./run-list.ts";
export { type Departure, departureText, type Trace } from "./trace/trace.ts";
export { type RunDiff, type RunTotals, runDiffText, type StepDiff } from "./run-diff.ts";
export type { ExportOptions } from "./export/export-run.ts";
export type { ForkOptions, ForkSet } from "./fork-run.ts";
export type { Replayed, ReplayOptions, ReplaySet } from "./replay-run.ts";
export type { Stub } from "./stand-in.ts";
export type { Difference } from "./diff/difference.ts";
export type { ErrorClass, Retry } from "./retry.ts";
export type { PolicyOptions, Reconciled, ToolSettings } from "./settings.ts";

// What is told in the process
export type { Hooks, Log, QuestionTold, RunTold, StepTold } from "./telling.ts";

// Budgets
export type { Limits } from "./budget/amount.ts";
export type { Cap, OnLow } from "./budget/cap.ts";
export { usd } from "./budget/money.ts";
export type { ModelPrice, Prices } from "./budget/price.ts";
export type { RunBudget } from "./budget/settings.ts";
export type { SharedBudget } from "./budget/shared.ts";
export type { Raise } from "./raise-budget.ts";
export type { ModelSpending } from "./budget/tally.ts";
export type { BudgetView, Spent } from "./budget/view.ts";
export type { AskedModel } from "./budget/worst-case.ts";

// Inside a run
export {
  ask,
  idempotencyKey,
  now,
  once,
  randomUUID,
  receive,
  signal,
  sleep,
  step,
  type StepOptions,
  tx,
} from "./inside.ts";

// What goes wrong
export { type ErrorCode, type ErrorDetails, HoldfastError } from "./errors.ts";

// The words
export type { CallKind, Effect, Usage } from "./ledger/entry.ts";
export type { RunStatus, WaitingOn } from "./run/status.ts";

// For adapters
export { current } from "./inside.ts";
export { expectSteps } from "./empty-run.ts";
export { outsideRun } from "./outside-run.ts";
export { type Outlet, openOutlet } from "./outlet.ts";
export type { OwnedRun, Port, Substitution } from "./port.ts";
export type { Migration, PackageMigrations } from "./store/migrate.ts";
export type { Begun, Call, Checked, EmittedCall, Governed, Live, OwnRuling, Recorded } from "./step/call.ts";

// For servers
export { type RedactedField, Redactor } from "./redact.ts";
export type { Queryable } from "./store/database.ts";
