// What a run is and what it may be told, for programs that have no Node: the dashboard.
export { type CommandName, type Tellable, whyNot } from "./commands.ts";
export type { RunStatus, WaitingOn } from "./status.ts";
