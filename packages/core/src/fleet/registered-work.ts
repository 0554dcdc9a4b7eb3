import { HoldfastError } from "../errors.ts";
import type { RecordedRun } from "../recorded-run.ts";
import type { Head } from "../store/runs.ts";
import { workersWith } from "../store/workers.ts";
import type { Work } from "../trace/trace.ts";
import type { Shared } from "./host.ts";

/**
 * The work of a recorded run, as the agent does it that this process has registered under its name. Throws
 * COMMAND_NOT_ALLOWED where it has none, and says who has.
 */
export async function registeredWork(
  fleet: Shared,
  { runId, head }: RecordedRun & { readonly head: Head },
): Promise<Work<unknown>> {
  const refuse = (why: string) => new HoldfastError("COMMAND_NOT_ALLOWED", { runId, command: "replay", why });
  const { agent } = head;
  if (agent === null)
    throw refuse("it names no agent, so nobody can tell which code to run; name it: hf.replay(id, work, …)");
  const registered = fleet.agents.get(agent);
  if (!registered) {
    const others = await workersWith(await fleet.host.db(), agent);
    const where = others.length === 0 ? "and no living worker has it" : `but ${others.join(", ")} has it`;
    throw refuse(
      `its agent ${agent} is not registered in this process, ${where}: holdfast replay --app names the module that registers it`,
    );
  }
  return registered.handler;
}
