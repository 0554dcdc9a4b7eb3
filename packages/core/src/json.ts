import { hash } from "node:crypto";
import canonicalize from "canonicalize";
import { HoldfastError } from "./errors.ts";

/**
 * The digest of a value: SHA-256 over its canonical form, base64url. Undefined fields are left out, so that
 * `{ a: undefined }` and `{}` are one; dates, bytes, URLs, bigints, maps and sets are told apart from strings.
 * Throws NOT_SERIALIZABLE where a value has a cycle.
 */
export const digestOf = (value: unknown): string => hashOf(canonicalOf(toPlain(value)));

/** SHA-256, base64url: 43 characters. */
export const hashOf = (data: string | Uint8Array): string => hash("sha256", data, "base64url");

/** Canonical JSON of what toPlain made: RFC 8785. */
export function canonicalOf(plain: unknown): string {
  try {
    return canonicalize(plain) ?? "undefined";
  } catch (error) {
    if (error instanceof RangeError) throw tooDeep();
    throw error;
  }
}

/**
 * JSON that says the same: what has no JSON form becomes an object with one key that begins with $, and a key that begins
 * with $ gets another, so that no record looks like one of those. Functions and symbols say nothing. Bytes are named by
 * their hash; `onBytes` is given them, where they are to be kept.
 */
export function toPlain(value: unknown, onBytes?: (hash: string, bytes: Uint8Array) => void): unknown {
  try {
    return plain(value, [], onBytes);
  } catch (error) {
    if (error instanceof RangeError) throw tooDeep();
    throw error;
  }
}

/** What toPlain was given, as far as it kept it: an error comes back as its name and message. */
export function fromPlain(plain: unknown, bytesOf: (hash: string) => Uint8Array): unknown {
  if (Array.isArray(plain)) return plain.map((item) => fromPlain(item, bytesOf));
  if (typeof plain !== "object" || plain === null) return plain;
  const keys = Object.keys(plain);
  const [key] = keys;
  if (keys.length === 1 && key?.startsWith("$") && !key.startsWith("$$") && !key.startsWith("$utf16:")) {
    return fromTag(key, (plain as Record<string, unknown>)[key], bytesOf);
  }
  return Object.fromEntries(
    Object.entries(plain).map(([name, field]) => [fromPlainKey(name), fromPlain(field, bytesOf)]),
  );
}

type OnBytes = ((hash: string, bytes: Uint8Array) => void) | undefined;

function plain(value: unknown, above: readonly object[], onBytes: OnBytes): unknown {
  switch (typeof value) {
    case "string":
      return value.isWellFormed() ? value : { $utf16: halves(value) };
    case "boolean":
      return value;
    case "number":
      return Number.isFinite(value) ? value : { $number: String(value) };
    case "bigint":
      return { $bigint: String(value) };
    case "object":
      break;
    default:
      return undefined;
  }
  if (value === null) return null;
  if (above.includes(value)) {
    throw new HoldfastError("NOT_SERIALIZABLE", { path: "the input", why: "it has a cycle" });
  }
  const path = [...above, value];
  const inner = (part: unknown) => plain(part, path, onBytes);
  if (Array.isArray(value)) return value.map((item) => inner(item) ?? null);
  if (value instanceof Date) return { $date: String(value.getTime()) };
  if (value instanceof RegExp) return { $regexp: [value.source, value.flags] };
  if (value instanceof URL) return { $url: value.href };
  if (ArrayBuffer.isView(value)) {
    return { $bytes: bytesAs(new Uint8Array(value.buffer, value.byteOffset, value.byteLength), onBytes) };
  }
  if (value instanceof ArrayBuffer) return { $bytes: bytesAs(new Uint8Array(value), onBytes) };
  if (value instanceof Map) return { $map: [...value].map(inner) };
  if (value instanceof Set) return { $set: [...value].map((item) => inner(item) ?? null) };
  if (value instanceof Error) return { $error: [value.name, value.message] };
  const toJSON = (value as { toJSON?: unknown }).toJSON;
  if (typeof toJSON === "function") return inner(toJSON.call(value));
  const fields: [string, unknown][] = [];
  for (const key of Object.keys(value)) {
    const field = inner((value as Record<string, unknown>)[key]);
    if (field !== undefined) fields.push([toPlainKey(key), field]);
  }
  return Object.fromEntries(fields);
}

function fromTag(tag: string, said: unknown, bytesOf: (hash: string) => Uint8Array): unknown {
  const items = () => (said as unknown[]).map((item) => fromPlain(item, bytesOf));
  switch (tag) {
    case "$utf16":
      return fromHalves(said as string);
    case "$number":
      return Number(said);
    case "$bigint":
      return BigInt(said as string);
    case "$date":
      return new Date(Number(said));
    case "$regexp":
      return new RegExp(...(said as [string, string]));
    case "$url":
      return new URL(said as string);
    case "$bytes":
      return bytesOf(said as string);
    case "$map":
      return new Map(items() as [unknown, unknown][]);
    case "$set":
      return new Set(items());
    case "$error": {
      const [name, message] = said as [string, string];
      return Object.assign(new Error(message), { name });
    }
    default:
      throw new Error(`unreachable: the tag ${tag}`);
  }
}

function bytesAs(bytes: Uint8Array, onBytes: OnBytes): string {
  const hash = hashOf(bytes);
  onBytes?.(hash, bytes);
  return hash;
}

/** The name of a field, so that none looks like a tag, and every one is well-formed. */
export function toPlainKey(key: string): string {
  if (!key.isWellFormed()) return `$utf16:${halves(key)}`;
  return key.startsWith("$") ? `$${key}` : key;
}

export function fromPlainKey(key: string): string {
  if (key.startsWith("$utf16:")) return fromHalves(key.slice("$utf16:".length));
  return key.startsWith("$$") ? key.slice(1) : key;
}

/** RFC 8785 has no form for half a surrogate pair. */
const halves = (text: string) => Buffer.from(text, "utf16le").toString("base64url");
const fromHalves = (said: string) => Buffer.from(said, "base64url").toString("utf16le");

const tooDeep = () =>
  new HoldfastError("NOT_SERIALIZABLE", { path: "the input", why: "it is nested too deep" });
