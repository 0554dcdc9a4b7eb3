import { HoldfastError } from "./errors.ts";

/** What stands where something was taken out. */
export const REDACTED = "[redacted]";

/**
 * Names under which secrets stand in what libraries attach to errors and put into provider options. Taken out wherever
 * they occur there, asked or not: a ledger is read by more people than a request.
 */
const SECRET =
  /^(authorization|proxy-authorization|cookie|set-cookie|(x-)?api[-_]?key|x-goog-api-key|password|passwd|secret|client[-_]?secret|(access|refresh|id|session|bearer)[-_]?token|token)$/i;

/** Fields of a model request that are what is said, not how it is sent. */
const SAID = new Set(["prompt", "messages", "input", "tools", "systemInstructions"]);

/** The part of an entry that a value stands in: where a path begins. */
export type RedactedField = "input" | "output" | "error" | "value" | "request";

/**
 * Takes out of values what must not be kept: what the configured paths lead to, and in errors and in how a model is
 * called, what goes by the name of a secret. A path begins at a field of an entry (`output.user.ssn`); `*` stands for any
 * one name (`*.headers.authorization`), `**` for any number of them. A pattern is taken out of every text it is found in.
 * What is returned shares what was left alone.
 */
export class Redactor {
  readonly #paths: readonly (readonly string[])[];
  readonly #patterns: readonly RegExp[];

  /** Throws INVALID_ARGUMENT for a path that is none. */
  constructor(paths: readonly string[] = [], patterns: readonly RegExp[] = []) {
    for (const path of paths) {
      if (typeof path === "string" && path !== "" && !path.split(".").includes("")) continue;
      throw new HoldfastError("INVALID_ARGUMENT", {
        argument: "redact",
        why: `has a path that is none: ${String(path)}`,
      });
    }
    this.#paths = paths.map((path) => path.split("."));
    this.#patterns = patterns.map(
      ({ source, flags }) => new RegExp(source, flags.replace(/[gy]/g, "") + "g"),
    );
  }

  apply<T>(field: RedactedField, value: T): T {
    const paths = this.#paths.flatMap((path) => rests(path, field));
    const atPaths = paths.length === 0 ? value : (along(paths, value, 0) as T);
    const redacted = this.#patterns.length === 0 ? atPaths : (this.#byPattern(atPaths, 0) as T);
    if (field === "error") return bySecretName(redacted, 0) as T;
    return field === "request" ? (byRequest(redacted) as T) : redacted;
  }

  /** What a text says without what the patterns find. */
  text(text: string): string {
    return this.#patterns.reduce((left, pattern) => left.replaceAll(pattern, REDACTED), text);
  }

  #byPattern(value: unknown, depth: number): unknown {
    const inner = (part: unknown) => this.#byPattern(part, depth + 1);
    if (typeof value === "string") return this.text(value);
    if (value instanceof Map) return new Map([...value].map(([key, part]) => [inner(key), inner(part)]));
    if (value instanceof Set) return new Set([...value].map(inner));
    if (value instanceof URL) return this.text(value.href) === value.href ? value : REDACTED;
    const mapped = mapFields(value, depth, (_, part) => inner(part));
    if (!(mapped instanceof Error)) return mapped;
    const [message, stack] = [this.text(mapped.message), this.text(mapped.stack ?? "")];
    if (message === mapped.message && stack === (mapped.stack ?? "")) return mapped;
    const own = { configurable: true, writable: true };
    return Object.create(Object.getPrototypeOf(mapped), {
      ...Object.getOwnPropertyDescriptors(mapped),
      message: { ...own, value: message },
      stack: { ...own, value: stack },
    });
  }
}

/** Bounds the recursion into values that hold themselves. */
const DEEPEST = 32;

function along(paths: readonly (readonly string[])[], value: unknown, depth: number): unknown {
  if (paths.some((path) => path.length === 0 || (path.length === 1 && path[0] === "**"))) return REDACTED;
  return mapFields(value, depth, (name, part) => {
    const inner = paths.flatMap((path) => rests(path, name));
    return inner.length === 0 ? part : along(inner, part, depth + 1);
  });
}

/** What is left of a path once it has passed a name: nothing where it does not lead there. */
function rests([first, ...rest]: readonly string[], name: string): (readonly string[])[] {
  if (first === "**") return [["**", ...rest], ...rests(rest, name)];
  return first === "*" || first === name ? [rest] : [];
}

const byRequest = (request: unknown): unknown =>
  mapFields(request, 0, (name, part) => (SAID.has(name) ? part : bySecretName(part, 1)));

function bySecretName(value: unknown, depth: number): unknown {
  return mapFields(value, depth, (name, part) => {
    if (!SECRET.test(name)) return bySecretName(part, depth + 1);
    return part === undefined || part === null ? part : REDACTED;
  });
}

/** The same value with its fields mapped: a copy where one has changed. Only records, arrays and errors have fields. */
function mapFields(value: unknown, depth: number, map: (name: string, part: unknown) => unknown): unknown {
  if (typeof value !== "object" || value === null || depth > DEEPEST) return value;
  if (Array.isArray(value)) {
    const mapped = value.map((part, i) => map(String(i), part));
    return mapped.some((part, i) => part !== value[i]) ? mapped : value;
  }
  const isRecord = [Object.prototype, null].includes(Object.getPrototypeOf(value));
  if (!isRecord && !(value instanceof Error)) return value;
  const changed: PropertyDescriptorMap = {};
  for (const name of fieldsOf(value)) {
    const part = (value as Record<string, unknown>)[name];
    const mapped = map(name, part);
    if (mapped !== part)
      changed[name] = { value: mapped, enumerable: true, configurable: true, writable: true };
  }
  if (Object.keys(changed).length === 0) return value;
  const descriptors = { ...Object.getOwnPropertyDescriptors(value), ...changed };
  return Object.create(Object.getPrototypeOf(value), descriptors);
}

/** An error's cause is no enumerable field, and holds what the library below attached. */
const fieldsOf = (value: object): string[] =>
  value instanceof Error && "cause" in value && !Object.keys(value).includes("cause")
    ? [...Object.keys(value), "cause"]
    : Object.keys(value);
