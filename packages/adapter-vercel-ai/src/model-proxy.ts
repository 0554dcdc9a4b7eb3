import { MARK } from "./mark.ts";

/**
 * The same model, but for the methods that `replace` gives another of. A Proxy, and not one of the SDK's own wrappers: in
 * ai 6 wrapLanguageModel claims V3 for a model of V2, and token counts are lost; and not every kind of model has one.
 */
export function proxyOf<T extends object>(
  model: T,
  replace: (method: string, original: (...args: never[]) => unknown) => unknown,
): T {
  return new Proxy(model, {
    get(target, property) {
      if (property === MARK) return target;
      // Of the model itself: what reads #private fields would fail on a Proxy.
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== "function") return value;
      const own = value.bind(target);
      return (typeof property === "string" && replace(property, own)) || own;
    },
  });
}
