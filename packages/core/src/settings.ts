import type { BudgetSettings } from "./budget/settings.ts";
import { HoldfastError } from "./errors.ts";
import { fits } from "./glob.ts";
import type { Effect } from "./ledger/entry.ts";
import type { Then } from "./policy/decision.ts";
import { type Policy, versionOf, whyNoPolicy } from "./policy/rule.ts";
import type { Substitution } from "./port.ts";
import type { Redactor } from "./redact.ts";
import { type Retry, whyNoRetry } from "./retry.ts";
import type { StandIn } from "./stand-in.ts";
import type { Telling } from "./telling.ts";

/** What a tool says of a call that went out and was not heard of again. */
export type Reconciled = { readonly done: unknown } | "notDone" | "unknown";

/** What is declared of a tool, by its name or a glob. */
export interface ToolSettings {
  /** How much harm a repeat does. Default `once`: never called again on its own. */
  readonly effect?: Effect;
  /**
   * How long one try may take, in milliseconds. After that a `read`, `idempotent` or `transaction` call has failed with
   * TIMED_OUT, and a `once` call is in doubt: it may yet happen. Default: no limit.
   */
  readonly timeoutMs?: number;
  /** Tries after an error. Refused for `once`, which is never called again. */
  readonly retry?: Retry;
  /** The business key: calls with one key are one effect, however often the model plans it. */
  readonly key?: (input: never) => string;
  /**
   * Asks the outside world what became of a call in doubt. `done` is recorded as its outcome. `notDone` lets it go out
   * again, but only once the lease it went out under and its time limit have both run out, and it is still not done.
   */
  readonly reconcile?: (call: { key: string; input: never }) => Reconciled | PromiseLike<Reconciled>;
  /** What a call spends of its own money, in micro-dollars: `usd(input.cents / 100)`. Held before the call. */
  readonly cost?: (input: never) => number;
}

/** What a run needs to know of how its Holdfast was opened. */
export interface RunSettings {
  readonly tools: Readonly<Record<string, ToolSettings>>;
  /** A model request that differs from the one on record: use the record and note it, or fail with DRIFTED. */
  readonly drift: "accept" | "fail";
  readonly policy: PolicySettings;
  readonly leaseSeconds: number;
  readonly redactor: Redactor;
  /** The largest output of one call, in bytes as it is recorded. */
  readonly maxOutputBytes: number;
  readonly budget: BudgetSettings;
  /** Who is told what becomes of runs; undefined: nobody. */
  readonly telling?: Telling | undefined;
  /** Of a replay: what answers instead of the world, and what runs that are begun inside it come to. */
  readonly standIn?: {
    readonly standIn: StandIn;
    readonly child: <T>(id: string, work: () => T | PromiseLike<T>) => Promise<T>;
    readonly set?: Substitution | undefined;
  };
}

/** The policy that a run's calls are decided by. */
export interface PolicySettings {
  /** Without a policy only what a framework's own approval says is decided. */
  readonly isSet: boolean;
  readonly rules: Policy;
  readonly fallback: Then;
  readonly version: string;
  /** Decide and record, but let everything go out. */
  readonly shadow: boolean;
  readonly timeoutMs: number;
}

export interface PolicyOptions {
  /**
   * What stands between the model and its tools: rules, of which the first that applies decides, or one function. It
   * fails closed: what throws, takes too long or says something else denies. A call that is denied never goes out, and the
   * model is told why; one that is asked about waits for a person.
   */
  readonly policy?: Policy;
  /** Calls that no rule applies to. Default `allow`. */
  readonly policyDefault?: Then;
  /** What the ledger calls this policy; an approval holds under one version only. Default: a digest of its rules. */
  readonly policyVersion?: string;
  /** `shadow`: decisions are made and recorded, and not enforced. Default `enforce`. */
  readonly policyMode?: "enforce" | "shadow";
  /** How long a rule may take to decide, in milliseconds. Default 10,000. */
  readonly policyTimeoutMs?: number;
}

/** Throws INVALID_ARGUMENT. */
export function policySettings(options: PolicyOptions): PolicySettings {
  const {
    policy: rules = [],
    policyDefault: fallback = "allow",
    policyMode: mode = "enforce",
    policyTimeoutMs: timeoutMs = 10_000,
  } = options;
  const refuse = (argument: string, why: string) => new HoldfastError("INVALID_ARGUMENT", { argument, why });
  const why = whyNoPolicy(rules);
  if (why) throw refuse("policy", why);
  if (!["allow", "deny", "ask"].includes(fallback))
    throw refuse("policyDefault", 'must be "allow", "deny" or "ask"');
  if (mode !== "enforce" && mode !== "shadow") throw refuse("policyMode", 'must be "enforce" or "shadow"');
  if (!(timeoutMs > 0 && timeoutMs <= 2 ** 31 - 1))
    throw refuse("policyTimeoutMs", "is no number of milliseconds");
  const isSet = options.policy !== undefined || options.policyDefault !== undefined;
  const version = options.policyVersion ?? (isSet ? versionOf(rules, fallback) : "none");
  if (typeof version !== "string" || version === "") throw refuse("policyVersion", "must be text");
  return { isSet, rules, fallback, version, shadow: mode === "shadow", timeoutMs };
}

/** What is declared of this tool: by its exact name, else by the first glob that fits, in the order of declaration. */
export function settingsOf(tools: RunSettings["tools"], name: string): ToolSettings {
  if (Object.hasOwn(tools, name)) return tools[name] as ToolSettings;
  for (const [pattern, settings] of Object.entries(tools)) if (fits(pattern, name)) return settings;
  return {};
}

/** Throws INVALID_ARGUMENT: a declaration that is not understood must not become the default behind one's back. */
export function checkTools(tools: RunSettings["tools"]): void {
  for (const [pattern, settings] of Object.entries(tools)) checkSettings(`tools["${pattern}"]`, settings);
}

/** The business key of a call, where its tool has one. Throws INVALID_ARGUMENT where it gives none. */
export function businessKeyOf(
  { key }: ToolSettings,
  { name, input }: { name: string; input: unknown },
): string | undefined {
  if (!key) return undefined;
  const business = key(input as never);
  if (typeof business === "string" && business !== "") return business;
  const why = "gave no business key: it must give a string that is not empty";
  throw new HoldfastError("INVALID_ARGUMENT", { argument: `tools["${name}"].key`, why });
}

const effects: readonly Effect[] = ["read", "idempotent", "once", "transaction"];
const FIELDS = ["effect", "timeoutMs", "retry", "key", "reconcile", "cost"];

/** Checks what is declared of one tool, or with fewer fields of one step. */
export function checkSettings(argument: string, settings: ToolSettings, fields = FIELDS): void {
  const refuse = (why: string) => new HoldfastError("INVALID_ARGUMENT", { argument, why });
  if (typeof settings !== "object" || settings === null)
    throw refuse('must be an object: { effect: "read" }');
  const unknown = Object.keys(settings).find((field) => !fields.includes(field));
  if (unknown) throw refuse(`has no field ${unknown}; it may have ${fields.join(", ")}`);
  const { effect = "once", timeoutMs, retry, key, reconcile, cost } = settings;
  if (!effects.includes(effect)) throw refuse(`has an effect that is none of ${effects.join(", ")}`);
  if (timeoutMs !== undefined && !(timeoutMs > 0 && timeoutMs <= 2 ** 31 - 1)) {
    throw refuse("has a timeoutMs that is no number of milliseconds");
  }
  if (retry !== undefined) {
    if (effect === "once") throw refuse('has a retry, but its effect is "once": that is never called again');
    const why = whyNoRetry(retry);
    if (why) throw refuse(`has a retry ${why}`);
  }
  if (key !== undefined && typeof key !== "function") throw refuse("has a key that is no function");
  if (cost !== undefined && typeof cost !== "function") throw refuse("has a cost that is no function");
  if (reconcile !== undefined && typeof reconcile !== "function")
    throw refuse("has a reconcile that is no function");
  if (reconcile !== undefined && effect !== "once") {
    throw refuse('has a reconcile, but only a call with the effect "once" can be in doubt');
  }
}
