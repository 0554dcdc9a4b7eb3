import type { RunStatus } from "./status.ts";

/** What people tell a run. */
export type CommandName = "cancel" | "pause" | "resume" | "send" | "redrive";

/** What decides whether a run may be told something. */
export interface Tellable {
  readonly status: RunStatus;
  readonly inline: boolean;
  /** What it was told and has not been told otherwise since. */
  readonly command: "pause" | "cancel" | null;
}

const ended: ReadonlySet<RunStatus> = new Set(["succeeded", "failed", "cancelled", "dead"]);

/** Why a run may not be told this, as the end of a sentence; undefined where it may. */
export function whyNot(name: CommandName, { status, inline, command }: Tellable): string | undefined {
  if (name === "redrive") {
    if (inline) return "it is inline: call hf.run with its id to try it again";
    return status === "failed" || status === "dead"
      ? undefined
      : `it is ${status}; only a run that failed or is dead is redriven`;
  }
  if (ended.has(status)) return `it has ended: it is ${status}`;
  if (name === "resume" && command !== "pause") return "it is not paused";
  if (command === "cancel" && name !== "cancel") return "it is being cancelled";
  return undefined;
}
