import { current, type Effect, expectSteps, outsideRun } from "@holdfast/core";
import { holdAgent, isModel } from "./agent.ts";
import { drive } from "./drive.ts";
import { openHold } from "./hold.ts";
import { MARK, replaceMethod } from "./mark.ts";
import { holdModel, holdProvider } from "./model.ts";
import type { HostedEffects } from "./request.ts";
import type { Agent, Callable, Provider, Runner, RunnerClass, RunOptions, StreamedResult } from "./sdk.ts";
import { holdSession } from "./session.ts";
import { isRunState, rebind } from "./state.ts";
import { unlessStopped } from "./stop.ts";

export interface DurabilityOptions {
  /**
   * What the tools do that the provider runs itself, by name: `{ web_search: "read" }`. A model call that may run one
   * is `once`, unless all of them are `read` or `idempotent`. A prompt that the provider keeps goes by the name `prompt`.
   */
  readonly hosted?: HostedEffects;
}

/**
 * Installs the run hook, once in a process: what the SDK does inside `hf.run` is recorded, for every runner, for `run()`,
 * for agents as tools and for what guardrails and tools start. Gives back the same class. Outside a run nothing changes.
 */
export function withDurability<T extends RunnerClass>(Runner: T, { hosted = {} }: DurabilityOptions = {}): T {
  const prototype: Prototype = Runner.prototype;
  if (prototype[MARK]) Object.assign(prototype[MARK], hosted);
  else {
    const effects = { ...hosted };
    expectSteps("withDurability(Runner)");
    replaceMethod(prototype, "run", hold(prototype.run, effects));
    Object.defineProperty(prototype, MARK, { value: effects });
  }
  return Runner;
}

/** What was said of hosted tools is added to, where the hook is there already. */
interface Prototype {
  readonly run: Callable;
  readonly [MARK]?: Record<string, Effect>;
}

function hold(run: Callable, hosted: HostedEffects) {
  return async function held(
    this: Runner,
    agent: Agent,
    input: unknown,
    options?: RunOptions,
  ): Promise<unknown> {
    const outer = current();
    const work = (options?: RunOptions) =>
      Reflect.apply(run, this, [agent, input, options]) as Promise<unknown>;
    if (!outer) {
      outsideRun(`run(${agent.name})`);
      return await work(options);
    }
    for (const each of [agent, ...(isRunState(input) ? [input._currentAgent] : [])]) holdAgent(each, hosted);
    const { model, modelProvider } = this.config;
    if (isModel(model)) holdModel(model, hosted);
    holdProvider(modelProvider as Provider, hosted);
    return await outer.lane(agent.name, async () => {
      const port = current() ?? outer;
      const hold = openHold(port);
      if (isRunState(input)) await rebind(input, hold);
      const session = options?.session && holdSession(options.session, port);
      const result = await unlessStopped(port, work(session ? { ...options, session } : options));
      if (options?.stream) drive(result as StreamedResult, port, options.signal);
      return result;
    });
  };
}
