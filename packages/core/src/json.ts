import { createHash } from "node:crypto";
import canonicalize from "canonicalize";
import { HoldfastError } from "./errors.ts";

/**
 * The digest of a value: SHA-256 over its canonical JSON (RFC 8785), base64url. Undefined fields are left out, so that
 * `{ a: undefined }` and `{}` are one; dates, bytes, URLs, bigints, maps and sets are told apart from strings.
 * Throws NOT_SERIALIZABLE where a value has a cycle.
 */
export function digestOf(value: unknown): string {
  let text: string | undefined;
  try {
    text = canonicalize(plain(value, []));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // too deep for the stack
    throw new HoldfastError("NOT_SERIALIZABLE", { path: "the input", why: "it is nested too deep" });
  }
  return sha256(text ?? "undefined").toString("base64url");
}

export const sha256 = (data: string | Uint8Array): Buffer => createHash("sha256").update(data).digest();

/**
 * JSON that says the same: what has no JSON form becomes an object with one key that begins with $, and a key that begins
 * with $ gets another, so that no record looks like one of those. Functions and symbols say nothing.
 */
function plain(value: unknown, above: readonly object[]): unknown {
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
  if (above.includes(value))
    throw new HoldfastError("NOT_SERIALIZABLE", { path: "the input", why: "it has a cycle" });
  const path = [...above, value];
  if (Array.isArray(value)) return value.map((item) => plain(item, path) ?? null);
  if (value instanceof Date) return { $date: String(value.getTime()) };
  if (value instanceof RegExp) return { $regexp: [value.source, value.flags] };
  if (value instanceof URL) return { $url: value.href };
  if (ArrayBuffer.isView(value)) {
    return {
      $bytes: sha256(new Uint8Array(value.buffer, value.byteOffset, value.byteLength)).toString("base64url"),
    };
  }
  if (value instanceof ArrayBuffer) return { $bytes: sha256(new Uint8Array(value)).toString("base64url") };
  if (value instanceof Map) return { $map: [...value].map((pair) => plain(pair, path)) };
  if (value instanceof Set) return { $set: [...value].map((item) => plain(item, path) ?? null) };
  if (value instanceof Error) return { $error: [value.name, value.message] };
  const toJSON = (value as { toJSON?: unknown }).toJSON;
  if (typeof toJSON === "function") return plain(toJSON.call(value), path);
  const fields: [string, unknown][] = [];
  for (const key of Object.keys(value)) {
    const field = plain((value as Record<string, unknown>)[key], path);
    if (field !== undefined) fields.push([plainKey(key), field]);
  }
  return Object.fromEntries(fields);
}

function plainKey(key: string): string {
  if (!key.isWellFormed()) return `$utf16:${halves(key)}`;
  return key.startsWith("$") ? `$${key}` : key;
}

/** RFC 8785 has no form for half a surrogate pair. */
const halves = (text: string) => Buffer.from(text, "utf16le").toString("base64url");
