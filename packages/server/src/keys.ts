import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { HoldfastError } from "@holdfast/core";

/**
 * What a key may do: look at everything; start, steer, redrive and forget runs; answer questions, resolve doubts and raise
 * budgets. None implies another.
 */
export const SCOPES = ["read", "operate", "approve"] as const;
export type Scope = (typeof SCOPES)[number];

/** Who asks: the name stands as `by` in what is written to a ledger. */
export interface Caller {
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
}

/** A key as the server knows it: never its text. */
export interface Key {
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** What `hashOfKey` makes of its text. */
  readonly hash: string;
}

/** A new key: 256 random bits. Its text is shown to its owner and kept nowhere. */
export function newKey(name: string, scopes: readonly Scope[]): { text: string; key: Key } {
  const text = `hfk_${randomBytes(32).toString("base64url")}`;
  return { text, key: keyFrom(name, scopes, text) };
}

/** A key whose text one has chosen. Throws INVALID_ARGUMENT for one that could be guessed. */
export function keyFrom(name: string, scopes: readonly Scope[], text: string): Key {
  if (text.length < SHORTEST || new Set(text).size < FEWEST_DIFFERENT) {
    const why = `is too weak: take at least ${SHORTEST} random characters (openssl rand -base64 32)`;
    throw new HoldfastError("INVALID_ARGUMENT", { argument: `The key ${name}`, why });
  }
  return checkKey({ name, scopes, hash: hashOfKey(text) });
}

const SHORTEST = 32;
const FEWEST_DIFFERENT = 12;

/** Throws INVALID_ARGUMENT for a key that is not understood. */
export function checkKey(key: Key): Key {
  const refuse = (why: string) =>
    new HoldfastError("INVALID_ARGUMENT", { argument: `The key ${key.name}`, why });
  if (!/^[\w.@-]{1,64}$/.test(key.name))
    throw refuse("has a name other than 1 to 64 letters, digits, _ . @ -");
  const unknown = key.scopes.find((scope) => !SCOPES.includes(scope));
  if (unknown !== undefined || key.scopes.length === 0)
    throw refuse(`has scopes other than ${SCOPES.join(", ")}`);
  if (!/^[\w-]{43}$/.test(key.hash)) throw refuse("has a hash that is no SHA-256 as base64url");
  return key;
}

/** SHA-256, base64url. Enough for a text of 256 random bits: there is no dictionary to try. */
export const hashOfKey = (text: string): string => createHash("sha256").update(text).digest("base64url");

/** The key of that hash. Every one is looked at, each in constant time. */
export function findKey(keys: readonly Key[], hash: string): Key | undefined {
  const wanted = Buffer.from(hash);
  let found: Key | undefined;
  for (const key of keys) if (timingSafeEqual(Buffer.from(key.hash), wanted)) found = key;
  return found;
}

export const callerOf = ({ name, scopes }: Key): Caller => ({ name, scopes: new Set(scopes) });
