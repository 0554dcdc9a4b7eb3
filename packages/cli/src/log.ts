import { type Logger, pino } from "pino";
import type { Terminal } from "./terminal.ts";

/** Lines of JSON on standard output. HOLDFAST_LOG says from which level on: debug, info, warn, error, silent. */
export const logOn = ({ env, out }: Pick<Terminal, "env" | "out">): Logger =>
  pino({ level: env.HOLDFAST_LOG ?? "info" }, { write: out });
