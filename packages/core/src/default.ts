import { Holdfast } from "./holdfast.ts";

/**
 * The Holdfast of programs that open none: as if by `openHoldfast()` without options, connected when it is first used.
 * Every copy of this package in one process shares it, so that two adapters share one.
 */
export const hf: Holdfast = shared();

function shared(): Holdfast {
  const global = globalThis as unknown as Record<symbol, Holdfast | undefined>;
  const mark = Symbol.for("holdfast.default.1");
  global[mark] ??= new Holdfast();
  return global[mark];
}
