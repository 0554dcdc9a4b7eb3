import { createHash } from "node:crypto";
import canonicalize from "canonicalize";
import { HoldfastError } from "./errors.ts";

/**
 * The digest of a value: SHA-256 over its canonical JSON (RFC 8785), base64url. Undefined fields are left out, so that
 * `{ a: undefined }` and `{}` are one; dates, bytes, URLs, bigints, maps and sets are told apart from strings.
 * Throws NOT_SERIALIZABLE where a value has a cycle.
 */
export function digestOf(value: unknown): string {
  return sha256(canonicalize(plain(value, [])) ?? "undefined").toString("base64url");
}

export const sha256 = (data: string | Uint8Array): Buffer => createHash("sha256").update(data).digest();

/** JSON that says the same: what has no JSON form becomes a tagged object. Functions and symbols say nothing. */
function plain(value: unknown, above: readonly object[]): unknown {
  switch (typeof value) {
    case "string":
      // RFC 8785 has no form for half a surrogate pair.
      return value.isWellFormed() ? value : { $utf16: Buffer.from(value, "utf16le").toString("base64url") };
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
  if (value instanceof Date) return { $date: value.getTime() };
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
    if (field !== undefined) fields.push([key, field]);
  }
  return Object.fromEntries(fields);
}
