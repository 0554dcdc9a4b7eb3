import type { RunStatus, RunSummary } from "@holdfast/core";
import type { Paint, Style } from "../terminal.ts";

const styles: Record<RunStatus, Style> = {
  queued: "blue",
  running: "cyan",
  waiting: "yellow",
  succeeded: "green",
  failed: "red",
  cancelled: "dim",
  dead: "red",
};

export const statusText = (
  { status, waitingOn }: Pick<RunSummary, "status" | "waitingOn">,
  paint: Paint,
): string => paint(styles[status], waitingOn === undefined ? status : `${status}: ${waitingOn}`);
