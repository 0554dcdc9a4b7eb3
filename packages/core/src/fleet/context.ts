import { decode } from "../codec.ts";
import type { Run } from "../ledger/replay.ts";
import type { AgentContext } from "./agent.ts";

/** What a handler is told beside its input, the same in every execution: the outputs of the runs that it came after. */
export function contextOf(runId: string, run: Pick<Run, "ended" | "takeovers">): AgentContext {
  const [first] = run.takeovers.values();
  const before = [...run.ended.values()].filter(({ seq }) => first === undefined || seq < first.seq);
  const succeeded = before.filter(({ status }) => status === "succeeded");
  const outputs = succeeded.map(({ name, value }) => [name, value === undefined ? undefined : decode(value)]);
  return { runId, outputs: Object.fromEntries(outputs) };
}
