/** Where a run is. `succeeded`, `failed`, `cancelled` and `dead` are final; an inline run that failed may be tried again. */
export type RunStatus = "queued" | "running" | "waiting" | "succeeded" | "failed" | "cancelled" | "dead";

/** What a waiting run waits for. `caller`: for somebody to call `hf.run` with its id again. */
export type WaitingOn = "approval" | "input" | "doubt" | "budget" | "timer" | "dependency" | "caller";
