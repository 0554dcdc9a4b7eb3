/** On what is held already, so that nothing is held twice, whichever copy of this package came first. */
export const MARK: unique symbol = Symbol.for("holdfast.openai-agents");

/** On a tool of Holdfast's own: its effect. */
export const EFFECT: unique symbol = Symbol.for("holdfast.openai-agents.effect");

export const isHeld = (value: object): boolean => MARK in value;

/** The same object with other properties. By descriptors: what the SDK hides under symbols must come along. */
export function derive<T extends object>(value: T, properties: Partial<T>): T {
  const own = Object.entries(properties).map(([name, value]): [string, PropertyDescriptor] => [
    name,
    { value, enumerable: true, configurable: true, writable: true },
  ]);
  return Object.create(Object.getPrototypeOf(value), {
    ...Object.getOwnPropertyDescriptors(value),
    ...Object.fromEntries(own),
    [MARK]: { value },
  });
}

/** Gives an object another method in place. Everything else about it, its identity and what is #private, stays. */
export function replaceMethod(object: object, name: string, method: unknown): void {
  Object.defineProperty(object, name, { value: method, configurable: true, writable: true });
}
