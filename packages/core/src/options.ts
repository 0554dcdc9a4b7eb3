import type pg from "pg";
import type { Prices } from "./budget/price.ts";
import { budgetSettings, type RunBudget } from "./budget/settings.ts";
import type { SharedBudget } from "./budget/shared.ts";
import { HoldfastError } from "./errors.ts";
import type { OutsideRun } from "./outside-run.ts";
import { Redactor, secretsIn } from "./redact.ts";
import {
  checkTools,
  type PolicyOptions,
  policySettings,
  type RunSettings,
  type ToolSettings,
} from "./settings.ts";
import { type Hooks, type Log, Telling } from "./telling.ts";

export interface HoldfastOptions extends PolicyOptions {
  /**
   * Where the ledger lives: `postgres://…`, a `pg.Pool`, `"embedded"`, or a folder for the embedded server. Absent:
   * DATABASE_URL if it is set, else embedded in ./.holdfast, which is refused when NODE_ENV is "production".
   */
  readonly database?: string | pg.Pool | undefined;
  /** Bring the schema up to date. False for roles that may not: then it is only checked. Default true. */
  readonly migrate?: boolean;
  /** What is declared of tools, by name or glob (`lookup_*`). An exact name comes before globs, globs in order. */
  readonly tools?: Readonly<Record<string, ToolSettings>>;
  /** A model request that differs from the one on record. Default `accept`: the record is used, and a note says so. */
  readonly drift?: RunSettings["drift"];
  /** How long a worker's leases are good without a heartbeat, in seconds. Default 30. */
  readonly leaseSeconds?: number;
  /** How long a worker's session must have been gone before its runs are taken over ahead of that. Default 1. */
  readonly graceSeconds?: number;
  /**
   * Paths that are taken out of what is recorded, before anything is hashed: `input.user.ssn`, `*.headers.authorization`.
   * A path begins with `input`, `output`, `error`, `value` or `request`; `*` is any one name, `**` any number of them.
   */
  readonly redact?: readonly string[];
  /** The largest output of one call, in bytes as it is recorded. Default 16 MiB. A larger one is OUTPUT_TOO_LARGE. */
  readonly maxOutputBytes?: number;
  /** How many runs may be queued in the whole database when this process starts one. Then QUEUE_FULL. Default: no limit. */
  readonly queueLimit?: number;
  /** What every run may spend, unless it is started with a budget of its own. */
  readonly budget?: RunBudget;
  /** What runs of one agent, or with one tag, may spend together in an hour, a day or a month. */
  readonly budgets?: readonly SharedBudget[];
  /** What models cost, by name or glob: over the built-in table. `*` is for models that it does not know. */
  readonly prices?: Prices;
  /** Calls of held tools and models outside any run: default `pass`, with one warning; `refuse` throws UNHELD_CALL. */
  readonly outsideRun?: OutsideRun;
  /** What is told, in this process, of the runs that it works on. A hook that throws harms no run. */
  readonly hooks?: Hooks;
  /** Where the same is told: a pino logger. Runs and questions as info, steps as debug. Default: nowhere. */
  readonly log?: Log;
}

const OPTIONS = new Set<string>([
  "database",
  "migrate",
  "tools",
  "drift",
  "leaseSeconds",
  "graceSeconds",
  "outsideRun",
  "redact",
  "maxOutputBytes",
  "policy",
  "policyDefault",
  "policyVersion",
  "policyMode",
  "policyTimeoutMs",
  "queueLimit",
  "budget",
  "budgets",
  "prices",
  "hooks",
  "log",
] satisfies (keyof HoldfastOptions)[]);

const HOOKS = new Set<string>(["onRun", "onStep", "onQuestion"] satisfies (keyof Hooks)[]);
const isHook = (told: unknown) => told === undefined || typeof told === "function";

/** Options that were checked, with the defaults of those that a Holdfast itself goes by. */
export interface CheckedOptions extends HoldfastOptions {
  readonly leaseSeconds: number;
  readonly graceSeconds: number;
  readonly outsideRun: OutsideRun;
}

/** What a Holdfast is opened with, and what its runs need to know of that. Throws INVALID_ARGUMENT. */
export function checkOptions(options: HoldfastOptions): { options: CheckedOptions; settings: RunSettings } {
  const {
    tools = {},
    drift = "accept",
    leaseSeconds = 30,
    graceSeconds = 1,
    outsideRun = "pass",
    queueLimit,
  } = options;
  for (const option of Object.keys(options)) {
    check(option, OPTIONS.has(option), `is no option; there are ${[...OPTIONS].join(", ")}`);
  }
  checkTools(tools);
  check("drift", drift === "accept" || drift === "fail", 'must be "accept" or "fail"');
  check("leaseSeconds", leaseSeconds >= 1 && leaseSeconds <= 3600, "must be from 1 to 3600");
  check("graceSeconds", graceSeconds >= 0.1 && graceSeconds <= 3600, "must be from 0.1 to 3600");
  check("outsideRun", outsideRun === "pass" || outsideRun === "refuse", 'must be "pass" or "refuse"');
  const isLimit = queueLimit === undefined || (Number.isInteger(queueLimit) && queueLimit >= 1);
  check("queueLimit", isLimit, "must be a whole number from 1 on");
  const { redact = [], maxOutputBytes = 16 * 2 ** 20 } = options;
  check("maxOutputBytes", maxOutputBytes >= 1024, "must be 1024 or more");
  const redactor = new Redactor(redact, { secrets: secretsIn(process.env) });
  const { hooks, log } = options;
  for (const [hook, told] of Object.entries(hooks ?? {}))
    check(
      `hooks.${hook}`,
      HOOKS.has(hook) && isHook(told),
      "must be a function, of onRun, onStep and onQuestion",
    );
  const telling = hooks || log ? new Telling(hooks, log) : undefined;
  const policy = policySettings(options);
  const budget = budgetSettings(options);
  return {
    options: { ...options, leaseSeconds, graceSeconds, outsideRun },
    settings: { tools, drift, leaseSeconds, redactor, maxOutputBytes, policy, budget, telling },
  };
}

/** Throws INVALID_ARGUMENT where it does not hold. */
export function check(argument: string, holds: boolean, why: string): void {
  if (!holds) throw new HoldfastError("INVALID_ARGUMENT", { argument, why });
}
