import { type Holdfast, HoldfastError, type StartOptions } from "@holdfast/core";
import { isKnownAgent } from "./store/agents.ts";

/**
 * Queues a run of an agent by its name, and gives back its id. Its input is checked by the agent's schema where this process
 * has registered the agent; elsewhere it reaches the handler as it is. Throws INVALID_ARGUMENT for an agent that no worker
 * has ever had, and what `hf.start` throws.
 */
export async function startByName(
  hf: Holdfast,
  name: string,
  input: unknown,
  options: StartOptions,
): Promise<string> {
  const registered = hf.agents.find((agent) => agent.name === name);
  if (!registered && !(await isKnownAgent((await hf.opened()).db, name))) {
    const why = `is ${name}, which no worker has registered: start one that has it, and look at the name`;
    throw new HoldfastError("INVALID_ARGUMENT", { argument: "agent", why });
  }
  const agent = registered ?? { name, version: undefined, check: (raw: unknown) => Promise.resolve(raw) };
  return (await hf.start(agent, input, options)).id;
}
