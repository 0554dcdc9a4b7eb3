import type { Decision, Then } from "./decision.ts";
import {
  countedBy,
  covers,
  nameOf,
  type Policy,
  type PolicyCall,
  type PolicyRun,
  type Rule,
  type Ruling,
  whyNoRuling,
} from "./rule.ts";

/** A count that a call adds to when it goes out. */
export interface Counted {
  readonly rule: string;
  readonly per: "run" | "minute" | "hour" | "day";
  /** The tag that it is counted under; empty where it is under none. */
  readonly under: string;
  readonly atMost: number;
  /** It has been added to already, ahead of a call that did not come to its intent. */
  readonly isCounted?: boolean;
}

/** What stands under a count. */
export interface Used {
  /** Other calls that have gone out, or may. */
  readonly others: number;
  readonly isCounted: boolean;
}

/** What policy says of one call, and what is asked where it asks. */
export interface Evaluated {
  readonly decision: Omit<Decision, "policy">;
  readonly ruling: Ruling;
  /** The counts of the limits that the call is within. */
  readonly counted: readonly Counted[];
}

export interface Evaluation {
  readonly policy: Policy;
  /** Where no rule applies. */
  readonly fallback: Then;
  readonly call: PolicyCall;
  readonly run: PolicyRun;
  readonly used: (counted: Counted) => Used | PromiseLike<Used>;
  /** Awaits what a rule says, within a time limit: then it rejects. */
  readonly within: <T>(work: () => T | PromiseLike<T>) => Promise<T>;
  /** What an error says, without what must not be kept. */
  readonly message: (error: unknown) => string;
}

/**
 * Decides: the first rule that applies does. It fails closed: a rule that throws, takes too long or says something else
 * denies, and the reason says so.
 */
export async function evaluate(evaluation: Evaluation): Promise<Evaluated> {
  const { policy, fallback, call, run, used, within, message } = evaluation;
  const counted: Counted[] = [];
  if (typeof policy === "function") {
    const rule = policy.name || "policy";
    try {
      const said = await within(() => policy(call as PolicyCall<never>, run));
      if (said === undefined) return byDefault(fallback, counted);
      return ruled(rule, typeof said === "string" ? { then: said } : said, counted);
    } catch (error) {
      return broken(rule, message(error));
    }
  }
  for (const [i, rule] of policy.entries()) {
    if (!covers(rule, call, run)) continue;
    const name = nameOf(rule, i);
    try {
      const applies = rule.when ? await within(() => rule.when?.(call as PolicyCall<never>, run)) : true;
      if (typeof applies !== "boolean") throw new Error("its when says neither true nor false");
      if (!applies) continue;
      if (rule.limit) {
        const { limit } = rule;
        const count: Counted = {
          rule: name,
          per: limit.per,
          under: countedBy(limit, run),
          atMost: limit.atMost,
        };
        const { others, isCounted } = await used(count);
        if (others < limit.atMost) {
          counted.push({ ...count, isCounted });
          continue;
        }
      }
      return ruled(name, { ...rule, reason: rule.reason ?? reasonOf(rule) }, counted);
    } catch (error) {
      return broken(name, message(error));
    }
  }
  return byDefault(fallback, counted);
}

function ruled(rule: string, ruling: Ruling, counted: readonly Counted[]): Evaluated {
  const why = typeof ruling === "object" && ruling !== null ? whyNoRuling(ruling) : "says no ruling";
  if (why) throw new Error(`it ${why}`);
  const { then, reason } = ruling;
  return { decision: { then, rule, ...(reason === undefined ? {} : { reason }) }, ruling, counted };
}

function reasonOf({ limit }: Rule): string {
  if (!limit) return "a rule says so";
  const { atMost, per } = limit;
  return atMost === 1 ? `at most 1 call a ${per} goes out` : `at most ${atMost} calls a ${per} go out`;
}

const byDefault = (then: Then, counted: readonly Counted[]): Evaluated => ({
  decision: { then, rule: "default", ...(then === "allow" ? {} : { reason: "no rule names it" }) },
  ruling: { then },
  counted,
});

function broken(rule: string, why: string): Evaluated {
  const reason = `the rule ${rule} could not decide: ${why}`;
  return { decision: { then: "deny", rule, reason }, ruling: { then: "deny" }, counted: [] };
}
