import { HoldfastError } from "../errors.ts";
import type { Stamp } from "./entry.ts";

/** The entry cannot follow those before it: somebody else than Holdfast has written here, or Holdfast is wrong. */
export const corrupt = ({ runId, seq }: Pick<Stamp, "runId" | "seq">, why: string) =>
  new HoldfastError("LEDGER_CORRUPT", { runId, seq, why });
