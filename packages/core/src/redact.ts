import { HoldfastError } from "./errors.ts";

/** What stands where something was taken out. */
export const REDACTED = "[redacted]";

/**
 * Names under which secrets stand in what libraries attach to errors and put into provider options. Taken out wherever
 * they occur there, asked or not: a ledger is read by more people than a request.
 */
const SECRET =
  /^(authorization|proxy-authorization|cookie|set-cookie|(x-)?api[-_]?key|x-goog-api-key|password|passwd|secret|client[-_]?secret|(access|refresh|id|session|bearer)[-_]?token|token)$/i;

/** What is sent along with a request: no name in it is known to be harmless. */
const SENT_ALONG = /^(request[-_]?)?headers$/i;

/** Variables of the environment that hold secrets, by the ends of their names. Shorter values are no secrets. */
const SECRET_VARIABLE = /(^|_)(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)$/i;
const SHORTEST_SECRET = 8;

/** What looks like a secret in a text: in those of errors, libraries quote addresses and headers there. */
const IN_TEXT: readonly (readonly [RegExp, string])[] = [
  [/(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/@:]*:[^\s/@]+@/gi, `$1${REDACTED}@`], // postgres://user:password@host
  [/([?&](?:key|sig|signature|auth)=)[^&\s"'#]+/gi, `$1${REDACTED}`],
  [
    /\b((?:proxy-)?authorization|(?:set-)?cookie|(?:x-)?(?:goog-)?api[-_]?key|password|passwd|secret|client[-_]?secret|(?:access|refresh|id|session|bearer)?[-_]?token)(["']?\s*[:=]\s*["']?)(?:(?:bearer|basic)\s+)?[^\s"',;&}]+/gi,
    `$1$2${REDACTED}`,
  ],
  [/\b(bearer|basic)\s+[\w.~+/=-]{8,}/gi, `$1 ${REDACTED}`],
];

/** A text without what looks like a secret in it: the same wherever it is said, whatever the environment. */
export const withoutSecrets = (text: string): string =>
  IN_TEXT.reduce((left, [secret, instead]) => left.replace(secret, instead), text);

/** The values of an environment's variables that are named like secrets, longest first. */
export const secretsIn = (env: Readonly<Record<string, string | undefined>>): string[] =>
  Object.entries(env)
    .flatMap(([name, value]) => (value && SECRET_VARIABLE.test(name) ? [value] : []))
    .filter((value) => value.length >= SHORTEST_SECRET)
    .sort((a, b) => b.length - a.length);

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
  readonly #secrets: readonly string[];

  /**
   * `patterns` are taken out of every text; `secrets` out of the texts of errors, wherever they stand there. Throws
   * INVALID_ARGUMENT for a path that is none.
   */
  constructor(
    paths: readonly string[] = [],
    { patterns = [], secrets = [] }: { patterns?: readonly RegExp[]; secrets?: readonly string[] } = {},
  ) {
    for (const path of paths) {
      if (typeof path === "string" && path !== "" && !path.split(".").includes("")) continue;
      throw new HoldfastError("INVALID_ARGUMENT", {
        argument: "redact",
        why: `has a path that is none: ${String(path)}`,
      });
    }
    this.#paths = paths.map((path) => path.split("."));
    this.#patterns = patterns.map(
      ({ source, flags }) => new RegExp(source, `${flags.replace(/[gy]/g, "")}g`),
    );
    this.#secrets = secrets;
  }

  apply<T>(field: RedactedField, value: T): T {
    const paths = this.#paths.flatMap((path) => rests(path, field));
    const atPaths = paths.length === 0 ? value : (along(paths, value, 0) as T);
    const redacted = this.#patterns.length === 0 ? atPaths : (this.#byPattern(atPaths, 0) as T);
    if (field === "error") return bySecretName(redacted, 0, (text) => this.#masked(text)) as T;
    return field === "request" ? (byRequest(redacted) as T) : redacted;
  }

  /** What an error says, without what must not be kept: for texts that quote it. */
  message(error: unknown): string {
    const kept = this.apply("error", error);
    return this.#masked(kept instanceof Error ? kept.message : String(kept));
  }

  /** What a text says without what the patterns find. */
  text(text: string): string {
    return this.#patterns.reduce((left, pattern) => left.replaceAll(pattern, REDACTED), text);
  }

  #masked(text: string): string {
    return withoutSecrets(this.#secrets.reduce((left, secret) => left.replaceAll(secret, REDACTED), text));
  }

  #byPattern(value: unknown, depth: number): unknown {
    const inner = (part: unknown) => this.#byPattern(part, depth + 1);
    if (typeof value === "string") return this.text(value);
    if (value instanceof Map) return new Map([...value].map(([key, part]) => [inner(key), inner(part)]));
    if (value instanceof Set) return new Set([...value].map(inner));
    if (value instanceof URL) return this.text(value.href) === value.href ? value : REDACTED;
    return mapFields(value, depth, (_, part) => inner(part));
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
  mapFields(request, 0, (name, part) =>
    SAID.has(name) || part === undefined ? part : bySecretName({ [name]: part }, 0)[name],
  );

/** What goes by the name of a secret is taken out, and out of texts what `mask` knows. */
function bySecretName<T>(value: T, depth: number, mask = asIs): T {
  if (typeof value === "string") return mask(value) as T;
  return mapFields(value, depth, (name, part) => {
    if (!SECRET.test(name) && !SENT_ALONG.test(name)) return bySecretName(part, depth + 1, mask);
    return part === undefined || part === null ? part : REDACTED;
  }) as T;
}

const asIs = (text: string) => text;

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
    if (mapped === part) continue;
    const enumerable = Object.prototype.propertyIsEnumerable.call(value, name);
    changed[name] = { value: mapped, enumerable, configurable: true, writable: true };
  }
  if (Object.keys(changed).length === 0) return value;
  const descriptors = { ...Object.getOwnPropertyDescriptors(value), ...changed };
  return Object.create(Object.getPrototypeOf(value), descriptors);
}

/** What an error says, and what the library below attached to it, are no enumerable fields. */
const fieldsOf = (value: object): string[] =>
  value instanceof Error
    ? [...new Set([...Object.keys(value), "message", "stack", ...("cause" in value ? ["cause"] : [])])]
    : Object.keys(value);
