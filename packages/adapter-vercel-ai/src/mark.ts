/** On what is held already. It leads to the original, so that nothing is held twice and anything can be bound anew. */
export const MARK = Symbol.for("holdfast.vercel-ai");

/** On a tool of Holdfast's own: its effect. */
export const EFFECT = Symbol.for("holdfast.vercel-ai.effect");

export function originalOf<T extends object>(value: T): T {
  return (value as { readonly [MARK]?: T })[MARK] ?? value;
}
