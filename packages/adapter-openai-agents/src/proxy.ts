type Method = (...args: unknown[]) => unknown;

/**
 * The same object to whoever uses it, but for the methods that `replace` gives another of, and the names that it hides
 * (`false`). Not a Proxy of the object itself: that could not replace what is frozen there.
 */
export function proxyOf<T extends object>(
  object: T,
  replace: (name: string, own: Method) => Method | false | undefined,
): T {
  return new Proxy(Object.create(Object.getPrototypeOf(object)) as T, {
    get(_, property) {
      // Of the object itself: what reads #private fields would fail on a Proxy.
      const value: unknown = Reflect.get(object, property, object);
      if (typeof value !== "function") return value;
      const own: Method = value.bind(object);
      const instead = typeof property === "string" ? replace(property, own) : undefined;
      return instead === false ? undefined : (instead ?? own);
    },
    set: (_, property, value) => Reflect.set(object, property, value, object),
    has: (_, property) => Reflect.has(object, property),
  });
}
