import { HoldfastError } from "./errors.ts";

/** Throws INVALID_ARGUMENT for what names nobody. */
export function checkBy(by: unknown): void {
  if (typeof by === "string" && by !== "") return;
  throw new HoldfastError("INVALID_ARGUMENT", { argument: "by", why: "must name who says so" });
}
