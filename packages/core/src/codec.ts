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

/** Is the value data that the ledger can keep? */
export function canKeep(value: unknown): boolean {
  try {
    encode(value);
    return true;
  } catch {
    return false;
  }
}

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
  name: string;
  message: string;
  stack: string | undefined;
  cause: unknown;
  hasCause: boolean;
  fields: Record<string, unknown>;
  marks: string[];
}

// A framework recognises its own errors by `Symbol.for` marks, not by class (vercel/ai does): keep those that are true.
const reducers = {
  Error: (value: unknown): KeptError | undefined => {
    if (!(value instanceof Error)) return undefined;
    const marks = Object.getOwnPropertySymbols(value)
      .filter((mark) => Symbol.keyFor(mark) !== undefined && (value as never)[mark] === true)
      .map((mark) => Symbol.keyFor(mark) as string);
    const { stack: _stack, message: _message, cause: _cause, name: _name, ...fields } = { ...value };
    return {
      name: value.name,
      message: value.message,
      stack: value.stack,
      hasCause: "cause" in value && value.cause !== undefined,
      cause: value.cause instanceof Error || canKeep(value.cause) ? value.cause : String(value.cause),
      fields: Object.fromEntries(Object.entries(fields).filter(([, field]) => canKeep(field))),
      marks,
    };
  },
};

const revivers = {
  Error: (kept: KeptError): Error => {
    const error = new Error(kept.message, kept.hasCause ? { cause: kept.cause } : undefined);
    Object.defineProperty(error, "name", { value: kept.name, configurable: true, writable: true });
    if (kept.stack !== undefined) {
      Object.defineProperty(error, "stack", { value: kept.stack, configurable: true, writable: true });
    }
    Object.assign(error, kept.fields);
    for (const mark of kept.marks) (error as unknown as Record<symbol, unknown>)[Symbol.for(mark)] = true;
    return error;
  },
};

function notSerializable(error: unknown): HoldfastError {
  if (HoldfastError.is(error)) return error;
  const path = (error as { path?: unknown }).path;
  const why = error instanceof Error ? error.message : String(error);
  return new HoldfastError("NOT_SERIALIZABLE", {
    path: typeof path === "string" && path ? path : "the value",
    why,
  });
}
