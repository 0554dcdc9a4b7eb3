import { HoldfastError } from "../errors.ts";
import { fits } from "../glob.ts";
import type { Limits } from "./amount.ts";
import { type Cap, limitsOf } from "./cap.ts";

/** A budget that all runs of an agent, or with a tag, share in each hour, day or month (UTC, by the database's clock). */
export interface SharedBudget {
  /** A tag may be a glob: `tenant:*` gives each tenant a budget of its own. */
  readonly scope: { readonly tag: string } | { readonly agent: string };
  readonly per: "hour" | "day" | "month";
  readonly cap: Cap;
}

/** A shared budget that applies to a run. */
export interface Applying {
  readonly scope: string; // tag:tenant:acme, agent:support
  readonly per: SharedBudget["per"];
  readonly cap: Limits;
}

const PERS = ["hour", "day", "month"];
/** The most shared budgets of one run: each is a row that every held call locks. */
const MOST = 16;

/** Throws INVALID_ARGUMENT: a budget that is not understood would be none. */
export function checkShared(budgets: readonly SharedBudget[]): void {
  for (const [i, budget] of budgets.entries()) {
    const argument = `budgets[${i}]`;
    const refuse = (why: string) => new HoldfastError("INVALID_ARGUMENT", { argument, why });
    if (typeof budget !== "object" || budget === null) throw refuse("must be { scope, per, cap }");
    const { scope, per, cap, ...rest } = budget;
    const [unknown] = Object.keys(rest);
    if (unknown) throw refuse(`has no field ${unknown}; it may have scope, per, cap`);
    const [kind, ...more] = Object.keys(scope ?? {});
    const named = Object.values(scope ?? {})[0] as unknown;
    if (
      more.length > 0 ||
      (kind !== "tag" && kind !== "agent") ||
      typeof named !== "string" ||
      named === ""
    ) {
      throw refuse('has a scope that is neither { tag: "tenant:acme" } nor { agent: "support" }');
    }
    if (!PERS.includes(per)) throw refuse(`has a per that is none of ${PERS.join(", ")}`);
    limitsOf(`${argument}.cap`, cap);
    const same = budgets.slice(0, i).some((other) => scopeOf(other) === scopeOf(budget) && other.per === per);
    if (same) throw refuse(`has the scope and per of another: ${scopeOf(budget)} per ${per}`);
  }
}

const scopeOf = ({ scope }: SharedBudget) => ("tag" in scope ? `tag:${scope.tag}` : `agent:${scope.agent}`);

/** Which shared budgets apply to a run. Of a tag the budget counts that names it, else the first glob that fits it. */
export function applyingTo(
  budgets: readonly SharedBudget[],
  {
    agent,
    tags = [],
  }: { readonly agent?: string | undefined; readonly tags?: readonly string[] | undefined },
): Applying[] {
  const names = [...tags.map((tag) => `tag:${tag}`), ...(agent === undefined ? [] : [`agent:${agent}`])];
  const applying = [...new Set(names)].flatMap((scope) =>
    PERS.flatMap((per): Applying[] => {
      const ofPer = budgets.filter((budget) => budget.per === per);
      const found =
        ofPer.find((budget) => scopeOf(budget) === scope) ??
        ofPer.find((budget) => fits(scopeOf(budget), scope));
      return found ? [{ scope, per: found.per, cap: limitsOf("cap", found.cap) }] : [];
    }),
  );
  if (applying.length <= MOST) return applying;
  const why = `give this run ${applying.length} shared budgets by its tags; the most is ${MOST}`;
  throw new HoldfastError("INVALID_ARGUMENT", { argument: "budgets", why });
}
