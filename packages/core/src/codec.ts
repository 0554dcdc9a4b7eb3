import { parse, stringify } from "devalue";
import { HoldfastError } from "./errors.ts";

/**
 * A value as the ledger keeps it: plain JSON where the value is plain (so that psql can read it), else
 * `devalue:` and devalue's text, which knows dates, maps, sets, bytes, bigints, cycles and undefined.
 */
export type Encoded = string & { readonly encoded: unique symbol };

const RICH = "devalue:";

/** Bounds the recursion of the plain check: deeper values take devalue, deeper still is refused there. */
const PLAIN_DEPTH = 64;

/**
 * What a replay will read back. Promises `decode(encode(v))` equal to `v` for data: JSON, undefined, NaN, -0, bigint,
 * Date, URL, Map, Set, RegExp, bytes, Error (name, message, stack, cause, own fields and `Symbol.for` marks), cycles.
 * Throws NOT_SERIALIZABLE with the path to the first part that is no data: a function, a symbol, a class instance.
 */
export function encode(value: unknown): Encoded {
  try {
    if (isPlain(value, 0)) return JSON.stringify(value) as Encoded;
    return (RICH + stringify(value, reducers)) as Encoded;
  } catch (error) {
    throw notSerializable(error);
  }
}

/** The value that was encoded, as a fresh copy. */
export function decode(text: Encoded): unknown {
  return text.startsWith(RICH) ? parse(text.slice(RICH.length), revivers) : JSON.parse(text);
}

/** Whatever was thrown, as the ledger can keep it: at worst its text. */
export function encodeError(error: unknown): Encoded {
  try {
    return encode(error);
  } catch {
    return encode(new Error(String(error)));
  }
}

/** Is the value data that the ledger can keep? */
export const canKeep = (value: unknown): boolean => encodeIfKept(value) !== undefined;

function isPlain(value: unknown, depth: number): boolean {
  if (value === null || typeof value === "boolean" || typeof value === "string") return true;
  if (typeof value === "number") return Number.isFinite(value) && !Object.is(value, -0);
  if (typeof value !== "object" || depth > PLAIN_DEPTH) return false;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) if (!(i in value) || !isPlain(value[i], depth + 1)) return false;
    return Object.keys(value).length === value.length;
  }
  if (Object.getPrototypeOf(value) !== Object.prototype) return false;
  if (Object.getOwnPropertySymbols(value).length > 0) return false;
  for (const key in value) {
    // devalue refuses __proto__, and an assignment of it would be no property: let devalue say so.
    if (key === "__proto__" || !isPlain((value as Record<string, unknown>)[key], depth + 1)) return false;
  }
  return true;
}

interface KeptError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly cause: Encoded | undefined;
  readonly fields: Readonly<Record<string, Encoded>>;
  readonly marks: readonly string[];
}

/** Errors that are being kept right now: one that comes by again inside itself is kept by its name and message. */
const keeping = new Set<Error>();

// A framework recognises its own errors by `Symbol.for` marks, not by class (vercel/ai does): keep those that are true.
// The parts are encoded apart: devalue cannot rebuild a cycle that leads through a value of a kind of ours.
const reducers = {
  Error: (value: unknown): KeptError | undefined => {
    if (!(value instanceof Error)) return undefined;
    const { name, message, stack } = value;
    const again = keeping.has(value);
    keeping.add(value);
    try {
      const marks = Object.getOwnPropertySymbols(value)
        .filter((mark) => Symbol.keyFor(mark) !== undefined && (value as never)[mark] === true)
        .map((mark) => Symbol.keyFor(mark) as string);
      const fields: Record<string, Encoded> = {};
      for (const [field, part] of again ? [] : Object.entries(value)) {
        const kept = PROPER.has(field) ? undefined : encodeIfKept(part);
        if (kept !== undefined) fields[field] = kept;
      }
      const hasCause = !again && value.cause !== undefined;
      const cause = hasCause ? (encodeIfKept(value.cause) ?? encode(String(value.cause))) : undefined;
      return { name: String(name), message: String(message), stack, cause, fields, marks };
    } finally {
      if (!again) keeping.delete(value);
    }
  },
};

const PROPER = new Set(["name", "message", "stack", "cause"]);

const revivers = {
  Error: ({ name, message, stack, cause, fields, marks }: KeptError): Error => {
    const error = new Error(message, cause === undefined ? undefined : { cause: decode(cause) });
    Object.defineProperty(error, "name", { value: name, configurable: true, writable: true });
    if (stack !== undefined) {
      Object.defineProperty(error, "stack", { value: stack, configurable: true, writable: true });
    }
    for (const [field, part] of Object.entries(fields)) {
      Object.defineProperty(error, field, {
        value: decode(part),
        configurable: true,
        writable: true,
        enumerable: true,
      });
    }
    for (const mark of marks) (error as unknown as Record<symbol, unknown>)[Symbol.for(mark)] = true;
    return error;
  },
};

function encodeIfKept(value: unknown): Encoded | undefined {
  try {
    return encode(value);
  } catch {
    return undefined;
  }
}

function notSerializable(error: unknown): HoldfastError {
  if (HoldfastError.is(error)) return error;
  const path = (error as { path?: unknown }).path;
  const why = error instanceof Error ? error.message : String(error);
  return new HoldfastError("NOT_SERIALIZABLE", {
    path: typeof path === "string" && path ? path : "the value",
    why,
  });
}
