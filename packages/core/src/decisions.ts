import { decode } from "./codec.ts";
import type { CallKind, Effect } from "./ledger/entry.ts";
import type { Run } from "./ledger/replay.ts";
import { type Decision, enforced, STRICTNESS } from "./policy/decision.ts";
import { type Counted, type Evaluated, evaluate, type Used } from "./policy/evaluate.ts";
import type { PolicyCall, PolicyRun } from "./policy/rule.ts";
import type { Redactor } from "./redact.ts";
import type { PolicySettings } from "./settings.ts";
import type { Governed } from "./step/call.ts";
import { within } from "./within.ts";

/** A call that policy is to decide. */
export interface Candidate extends Governed {
  readonly key: string;
  readonly digest: string;
  readonly call: CallKind;
  readonly name: string;
  readonly effect: Effect;
  /** What the tool is to be called with. */
  readonly input: unknown;
  /** The tools that the provider may run on its way to a model's answer. */
  readonly hosted?: readonly string[] | undefined;
}

export type Decided = Omit<Evaluated, "decision"> & { readonly decision: Decision };

/** What deciding needs to know of its run. */
export interface Decidable {
  readonly run: Run;
  readonly policy: PolicySettings;
  readonly redactor: Redactor;
  readonly signal: AbortSignal;
  /** How many calls of all runs were counted in its window, and whether one that was counted at that time is among them. */
  usedByAll(counted: Counted, at: Date | undefined): Promise<{ used: number; has: boolean }>;
}

/** What policy says of calls of one run. Nothing is recorded here, and nobody is asked. */
export class Decisions {
  readonly #of: Decidable;
  /** The limits that calls fall under which may go out, and have not yet. */
  readonly #promised = new Map<string, readonly Counted[]>();

  /** The decision before, where limits count: what one call was promised the next has to see. */
  #before: Promise<unknown> = Promise.resolve();

  constructor(of: Decidable) {
    this.#of = of;
  }

  /** What holds the call back most decides: of several tools that it may run, and of the framework's own approval. */
  async decide(candidate: Candidate): Promise<Decided> {
    const { rules } = this.#of.policy;
    if (typeof rules === "function" || !rules.some(({ limit }) => limit))
      return await this.#decide(candidate);
    const deciding = this.#before.then(() => this.#decide(candidate));
    this.#before = deciding.catch(() => {});
    return await deciding;
  }

  async #decide(candidate: Candidate): Promise<Decided> {
    const { key, name, input, effect, hosted } = candidate;
    const calls: PolicyCall[] = hosted
      ? hosted.map((tool) => ({ tool, input: undefined, effect, runs: "at the provider", step: key }))
      : [{ tool: name, input, effect, runs: "here", step: key }];
    let most: Decided | undefined;
    for (const call of calls) {
      const decided = await this.#evaluate(call);
      if (!most || strictness(decided) > strictness(most)) most = decided;
    }
    const own = await this.#own(candidate);
    if (own && (!most || strictness(own) > strictness(most))) most = own;
    else if (own && most) most = { ...most, decision: { ...most.decision, own: true } };
    if (!most) throw new Error("unreachable: a call without a decision");
    if (enforced(most.decision) === "allow") this.#promised.set(key, most.counted);
    return most;
  }

  async #evaluate(call: PolicyCall): Promise<Decided> {
    const { policy } = this.#of;
    const { decision, ...more } = await evaluate({
      policy: policy.rules,
      fallback: policy.fallback,
      call,
      run: policyRun(this.#of.run),
      used: (counted) => this.#used(counted, call.step),
      within: (work) => this.#within(work),
      message: (error) => this.#of.redactor.message(error),
    });
    const shadow = policy.shadow && decision.then !== "allow";
    return { ...more, decision: { ...decision, policy: policy.version, ...(shadow ? { shadow } : {}) } };
  }

  /** The framework's own approval, which fails closed as a rule does. It is the application's, and not in shadow. */
  async #own({ says }: Candidate): Promise<Decided | undefined> {
    if (!says) return undefined;
    const policy = this.#of.policy.version;
    try {
      const own = await this.#within(says);
      return own && { decision: { ...own, policy, own: true }, ruling: { then: own.then }, counted: [] };
    } catch (error) {
      const decision = {
        then: "deny",
        rule: "own approval",
        reason: `it could not decide: ${this.#of.redactor.message(error)}`,
        policy,
        own: true,
      } as const;
      return { decision, ruling: { then: "deny" }, counted: [] };
    }
  }

  async #used(counted: Counted, step: string): Promise<Used> {
    const { run } = this.#of;
    const promised = [...this.#promised].filter(
      ([other, counts]) =>
        other !== step && !run.steps.has(other) && counts.some(({ rule }) => rule === counted.rule),
    );
    if (counted.per === "run") {
      return { others: (run.counts.get(counted.rule) ?? 0) + promised.length, isCounted: false };
    }
    const ahead = run.counted.get(step);
    const at = ahead?.rules.includes(counted.rule) ? ahead.at : undefined;
    const { used, has } = await this.#of.usedByAll(counted, at);
    return { others: used - (has ? 1 : 0) + promised.length, isCounted: has };
  }

  #within<T>(work: () => T | PromiseLike<T>): Promise<T> {
    const { timeoutMs } = this.#of.policy;
    return within(
      timeoutMs,
      this.#of.signal,
      work,
      () => new Error(`it took longer than its ${timeoutMs} ms`),
    );
  }
}

const strictness = ({ decision }: Decided) => STRICTNESS[enforced(decision)];

function policyRun({ start, input }: Run): PolicyRun {
  return {
    id: start?.runId ?? "",
    agent: start?.agent,
    version: start?.version,
    tags: start?.tags ?? [],
    input: input === undefined ? undefined : decode(input),
  };
}
