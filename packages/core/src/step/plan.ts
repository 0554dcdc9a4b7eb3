import type { Encoded } from "../codec.ts";
import type { Effect } from "../ledger/entry.ts";
import type { Step } from "../ledger/replay.ts";
import { unreachable } from "../unreachable.ts";

export type Plan =
  | { readonly do: "execute" } // never tried, or safe to try again
  | { readonly do: "return"; readonly output: Encoded | undefined } // it happened: hand back what came of it
  | { readonly do: "throw"; readonly error: Encoded | undefined } // it happened, and threw
  | { readonly do: "refuse"; readonly reason: string } // policy said no, and a no is kept too
  | { readonly do: "resolve"; readonly step: Step & { at: "intended" | "doubted" } } // in doubt: ask the tool, or a person
  | { readonly do: "diverge"; readonly why: string }; // the same step, another question

/**
 * Decides what becomes of a call whose step is found. Pure: every crash in the book is a row in plan.test.ts. The caller
 * has made sure that nobody in this process is at the step: an open intent was cut short, by a crash or by an abort.
 */
export function plan(step: Step | undefined, digest: string, effect: Effect | undefined): Plan {
  if (!step) return { do: "execute" };
  if (step.digest !== digest) {
    return { do: "diverge", why: `on record are other arguments (digest ${step.digest}, now ${digest})` };
  }

  switch (step.at) {
    case "refused":
      return { do: "refuse", reason: step.refusal.reason };
    case "observed":
      return step.observation.ok
        ? { do: "return", output: step.observation.value }
        : { do: "throw", error: step.observation.value };
    case "done":
      return { do: "return", output: step.resolution.value };
    case "undone":
      return { do: "execute" };
    case "doubted":
      return { do: "resolve", step };
    case "intended":
      // Both must say so: what was declared when it went out, and what is declared now.
      return canRepeat(step.intent.effect) && canRepeat(effect) ? { do: "execute" } : { do: "resolve", step };
    default:
      unreachable(step);
  }
}

/** May a call with this effect go out a second time, its first having been cut short? */
export const canRepeat = (effect: Effect | undefined): boolean =>
  effect === "read" || effect === "idempotent" || effect === "transaction";
