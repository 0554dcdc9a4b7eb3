import { HoldfastError } from "./errors.ts";

/** What is done about a durable call outside any run: let it pass as if Holdfast were not there, or refuse it. */
export type OutsideRun = "pass" | "refuse";

const refusing = new Set<object>();
let warned = false;

/** As long as `who` is open, calls outside a run are refused where it says so: the strictest in the process counts. */
export function setOutsideRun(who: object, what: OutsideRun | undefined): void {
  if (what === "refuse") refusing.add(who);
  else refusing.delete(who);
}

/** Something durable was called outside a run. Warns once a process, or throws UNHELD_CALL where that is configured. */
export function outsideRun(what: string): void {
  if (refusing.size > 0)
    throw new HoldfastError("UNHELD_CALL", { name: what, why: "it was called outside a run" });
  if (warned) return;
  warned = true;
  process.emitWarning(
    `${what} was called outside a run: nothing of it is recorded. Call it inside hf.run(id, work).`,
    {
      type: "HoldfastWarning",
      code: "UNHELD_CALL",
    },
  );
}
