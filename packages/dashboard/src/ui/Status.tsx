import type { RunStatus, WaitingOn } from "@holdfast/core";

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

interface StatusProps {
  readonly status: RunStatus;
  readonly waitingOn?: WaitingOn | undefined;
}

export function Status({ status, waitingOn }: StatusProps) {
  const { sign, tone } = signs[status];
  return (
    <span className={`status tone-${tone}`}>
      <span aria-hidden="true">{sign}</span> {status}
      {waitingOn ? <span className="on">: {waitingOn}</span> : null}
    </span>
  );
}
