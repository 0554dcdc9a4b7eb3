import type { RunStatus, WaitingOn } from "@holdfast/core";

export const STATUSES = [
  "queued",
  "running",
  "waiting",
  "succeeded",
  "failed",
  "cancelled",
  "dead",
] as const satisfies RunStatus[];

/** Never colour alone: each has its sign. */
const signs: Record<RunStatus, { readonly sign: string; readonly tone: string }> = {
  queued: { sign: "○", tone: "plain" },
  running: { sign: "◐", tone: "live" },
  waiting: { sign: "◇", tone: "ask" },
  succeeded: { sign: "✓", tone: "good" },
  failed: { sign: "✕", tone: "bad" },
  cancelled: { sign: "⊘", tone: "plain" },
  dead: { sign: "†", tone: "bad" },
};

/** What waits for a person stands out; what goes on by itself does not. */
const waits: Record<WaitingOn, string> = {
  approval: "ask",
  input: "ask",
  doubt: "warn",
  budget: "warn",
  timer: "plain",
  dependency: "plain",
  caller: "ask",
};

interface StatusProps {
  readonly status: RunStatus;
  readonly waitingOn?: WaitingOn | undefined;
}

export function Status({ status, waitingOn }: StatusProps) {
  const { sign, tone } = signs[status];
  return (
    <span className={`status tone-${waitingOn ? waits[waitingOn] : tone}`}>
      <span aria-hidden="true">{sign}</span> {status}
      {waitingOn ? <span className="on">: {waitingOn}</span> : null}
    </span>
  );
}
