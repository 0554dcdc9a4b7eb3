import { decode } from "../codec.ts";
import type { Told } from "../ledger/told.ts";
import type { AgentContext } from "./agent.ts";

/** What a handler is told beside its input, by what is on record of its run. */
export function contextOf(runId: string, { ended }: Pick<Told, "ended">): AgentContext {
  const succeeded = [...ended.values()].filter(({ status }) => status === "succeeded");
  const outputs = succeeded.map(({ name, value }) => [name, value === undefined ? undefined : decode(value)]);
  return { runId, outputs: Object.fromEntries(outputs) };
}
