import { secondsOf } from "../duration.ts";
import { fits } from "../glob.ts";
import { digestOf } from "../json.ts";
import type { Effect } from "../ledger/entry.ts";
import type { Then } from "./decision.ts";

/** A tool call as policy sees it, once its arguments are known to fit the tool's schema. */
export interface PolicyCall<Input = unknown> {
  readonly tool: string;
  /** What the tool is to be called with. Undefined for a tool that the provider runs: it is decided before the model asks for it. */
  readonly input: Input;
  readonly effect: Effect;
  /** Who would run it: this process, or the model's provider on its way to an answer. */
  readonly runs: "here" | "at the provider";
  readonly step: string;
}

/** The run that a call is made in, as policy sees it. */
export interface PolicyRun {
  readonly id: string;
  readonly agent: string | undefined;
  readonly version: string | undefined;
  readonly tags: readonly string[];
  readonly input: unknown;
}

/** What policy answers, where it is a function: undefined leaves it to `policyDefault`. */
export interface Ruling {
  readonly then: Then;
  readonly reason?: string;
  /** How many have to approve. Default 1. */
  readonly need?: number;
  /** Who may answer. Default: anybody. */
  readonly of?: readonly string[];
  /** How long an answer is waited for: `2h`, `30m`, or milliseconds. Then the call is denied. Default: as long as it takes. */
  readonly expiresIn?: string | number;
}

/** Only the calls beyond so many. In a window the count is shared by all runs: those with one tag, or all of them. */
export type Limit =
  | { readonly atMost: number; readonly per: "run" }
  | {
      readonly atMost: number;
      /** In every stretch of that length, by the database's clock. */
      readonly per: "minute" | "hour" | "day";
      /** A glob: runs are counted by their first tag that fits, those that have none together. */
      readonly tag?: string;
    };

/** One line of a policy. It applies to a call that all of its conditions fit. */
export interface Rule extends Ruling {
  /** What the ledger calls it. Default: its place and its tool. */
  readonly name?: string;
  /** A tool's name, or a glob. Default: every tool. */
  readonly tool?: string;
  /** The run's agent, or a glob. Default: every run. */
  readonly agent?: string;
  readonly when?: (call: PolicyCall<never>, run: PolicyRun) => boolean | PromiseLike<boolean>;
  readonly limit?: Limit;
}

type PolicyFunction = (
  call: PolicyCall<never>,
  run: PolicyRun,
) => Then | Ruling | undefined | PromiseLike<Then | Ruling | undefined>;

/** Rules, of which the first that applies decides, or one function. */
export type Policy = readonly Rule[] | PolicyFunction;

/** Do the rule's tool and agent fit? What `when` says is another question. */
export const covers = ({ tool = "*", agent = "*" }: Rule, call: PolicyCall, run: PolicyRun): boolean =>
  fits(tool, call.tool) && fits(agent, run.agent ?? "");

export const nameOf = ({ name, tool = "*", then }: Rule, i: number): string =>
  name ?? `${i + 1}: ${tool} ${then}`;

/** Which of its counts a call falls under. */
export const countedBy = (limit: Limit, { tags }: PolicyRun): string => {
  const pattern = limit.per === "run" ? undefined : limit.tag;
  return pattern === undefined ? "" : (tags.find((tag) => fits(pattern, tag)) ?? "");
};

/** A digest of the policy as it stands: the sources of its functions count, what they close over does not. */
export const versionOf = (policy: Policy, fallback: Then): string =>
  digestOf([typeof policy === "function" ? String(policy) : policy.map(sourced), fallback]).slice(0, 12);

const sourced = ({ when, ...rule }: Rule) => ({ ...rule, when: when && String(when) });

/** Why this is no policy, as the end of a sentence that begins "policy"; undefined where it is one. */
export function whyNoPolicy(policy: Policy): string | undefined {
  if (typeof policy === "function") return undefined;
  if (!Array.isArray(policy)) return "must be a list of rules, or one function";
  const names = new Set<string>();
  for (const [i, rule] of policy.entries()) {
    if (typeof rule !== "object" || rule === null) return `[${i}] is no rule`;
    const why = whyNoRule(rule);
    if (why) return `[${i}] ${why}`;
    const name = nameOf(rule, i);
    if (names.has(name)) return `has two rules of the name ${name}: the ledger could not tell them apart`;
    names.add(name);
  }
  return undefined;
}

const FIELDS = ["name", "tool", "agent", "when", "limit", "then", "reason", "need", "of", "expiresIn"];
const TEXTS = ["name", "tool", "agent", "reason"] as const;

function whyNoRule(rule: Rule): string | undefined {
  const unknown = Object.keys(rule).find((field) => !FIELDS.includes(field));
  if (unknown) return `has no field ${unknown}; it may have ${FIELDS.join(", ")}`;
  const empty = TEXTS.find((field) => rule[field] !== undefined && !isText(rule[field]));
  if (empty) return `has a ${empty} that is no text`;
  if (rule.when !== undefined && typeof rule.when !== "function") return "has a when that is no function";
  return whyNoRuling(rule) ?? (rule.limit === undefined ? undefined : whyNoLimit(rule.limit));
}

/** Why this is no ruling, as the end of a sentence; undefined where it is one. What a function answers is checked by it too. */
export function whyNoRuling({ then, reason, need = 1, of, expiresIn }: Ruling): string | undefined {
  if (!["allow", "deny", "ask"].includes(then)) return 'must say then: "allow", "deny" or "ask"';
  if (reason !== undefined && !isText(reason)) return "has a reason that is no text";
  if (of !== undefined && !(Array.isArray(of) && of.length > 0 && of.every(isText)))
    return "has an of that lists nobody";
  if (!Number.isInteger(need) || need < 1) return "has a need that is no whole number from 1";
  if (of !== undefined && need > new Set(of).size) return `needs ${need} of ${new Set(of).size} people`;
  return expiresIn === undefined || isDuration(expiresIn)
    ? undefined
    : "has an expiresIn that is no duration";
}

function whyNoLimit(limit: Limit): string | undefined {
  const { atMost, per, ...more } = limit as { atMost: unknown; per: unknown; tag?: unknown };
  if (!Number.isInteger(atMost) || (atMost as number) < 0)
    return "has a limit whose atMost is no whole number";
  if (!["run", "minute", "hour", "day"].includes(per as string))
    return 'has a limit that is not per "run", "minute", "hour" or "day"';
  if (per === "run" && more.tag !== undefined) return "has a limit per run with a tag";
  return more.tag === undefined || isText(more.tag) ? undefined : "has a limit whose tag is no text";
}

function isDuration(duration: string | number): boolean {
  try {
    return secondsOf("expiresIn", duration) > 0;
  } catch {
    return false;
  }
}

const isText = (value: unknown): boolean => typeof value === "string" && value !== "";
