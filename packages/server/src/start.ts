import { type Agent, type Holdfast, HoldfastError, type StartOptions } from "@holdfast/core";
import { isKnownAgent } from "./store/agents.ts";

/**
 * The agent of that name, to start runs of. Their input is checked by its schema where this process has registered it;
 * elsewhere it reaches the handler as it is. Throws INVALID_ARGUMENT for an agent that no worker has ever had.
 */
export async function agentNamed(hf: Holdfast, name: string): Promise<Agent> {
  const registered = hf.agents.find((agent) => agent.name === name);
  if (registered) return registered;
  if (await isKnownAgent((await hf.opened()).db, name))
    return { name, version: undefined, check: (raw) => Promise.resolve(raw) };
  const why = `is ${name}, which no worker has registered: start one that has it, and look at the name`;
  throw new HoldfastError("INVALID_ARGUMENT", { argument: "agent", why });
}

/** Queues a run of an agent by its name, and gives back its id. Throws what `agentNamed` and `hf.start` throw. */
export async function startByName(
  hf: Holdfast,
  name: string,
  input: unknown,
  options: StartOptions,
): Promise<string> {
  return (await hf.start(await agentNamed(hf, name), input, options)).id;
}
