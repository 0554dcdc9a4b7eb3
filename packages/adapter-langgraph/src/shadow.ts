const ORIGINAL = Symbol.for("holdfast.langgraph.original");

/**
 * The same object with some of its methods replaced. Everything else is the original's own and runs on the original:
 * private fields need that.
 */
export function shadowOf<T extends object>(original: T, methods: Readonly<Record<string, unknown>>): T {
  return new Proxy(original, {
    get(target, name) {
      if (name === ORIGINAL) return target;
      if (typeof name === "string" && Object.hasOwn(methods, name)) return methods[name];
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" && name !== "constructor" ? value.bind(target) : value;
    },
  });
}

/** Is this a shadow? What it does is held already. */
export const isShadow = (value: object): boolean => Reflect.get(value, ORIGINAL) !== undefined;
