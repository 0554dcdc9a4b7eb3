import type { LedgerEntry, OpenDoubt, RedactedField, Redactor, RunSummary, RunView } from "@holdfast/core";

/** What the API shows of what Holdfast tells: JSON, without what the configured paths lead to. */
export interface Shown {
  readonly summary: (run: RunSummary) => ReturnType<typeof summaryOf>;
  readonly run: (
    run: RunView,
  ) => ReturnType<typeof summaryOf> & Pick<RunView, "input" | "value" | "error" | "attempts">;
  readonly entry: (entry: LedgerEntry) => ShownEntry;
  readonly doubt: (doubt: OpenDoubt) => Omit<OpenDoubt, "at"> & { readonly at: string };
  readonly value: (field: RedactedField, value: unknown) => unknown;
}

/** An entry's stamp; the fields of its kind are beside it. */
export interface ShownEntry extends Readonly<Record<string, unknown>> {
  readonly runId: string;
  readonly seq: number;
  readonly epoch: number;
  readonly at: string;
  readonly kind: string;
}

const VALUES = ["input", "output", "error", "value"] as const satisfies readonly RedactedField[];

export function shownBy(redactor: Redactor): Shown {
  const value = (field: RedactedField, value: unknown) => asJson(redactor.apply(field, value));
  return {
    value,
    summary: summaryOf,
    run: (run) => ({
      ...summaryOf(run),
      input: value("input", run.input),
      value: value("value", run.value),
      error: value("error", run.error),
      attempts: run.attempts,
    }),
    entry(entry) {
      const { runId, seq, epoch, at, kind, ...rest } = entry;
      const fields: Record<string, unknown> = { ...rest };
      for (const field of VALUES) if (field in fields) fields[field] = value(field, fields[field]);
      return { runId, seq, epoch, at: at.toISOString(), kind, ...fields };
    },
    doubt: (doubt) => ({ ...doubt, input: value("input", doubt.input), at: doubt.at.toISOString() }),
  };
}

function summaryOf({ createdAt, finishedAt, prunedAt, tags, ...run }: RunSummary) {
  return {
    ...run,
    tags: [...tags],
    createdAt: createdAt.toISOString(),
    finishedAt: finishedAt?.toISOString(),
    prunedAt: prunedAt?.toISOString(),
  };
}

/** How deep a value is shown. */
const DEEPEST = 64;

/**
 * A value as JSON shows it to people: dates as ISO 8601, bytes as base64, bigints and numbers that JSON has not as text, sets
 * as lists, maps as lists of pairs, errors as their name, message and fields. What holds itself is cut off with "[…]".
 */
export function asJson(value: unknown, above: readonly object[] = []): unknown {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      return Number.isFinite(value) ? value : String(value);
    case "bigint":
      return String(value);
    case "object":
      break;
    default:
      return undefined;
  }
  if (value === null) return null;
  if (above.length >= DEEPEST || above.includes(value)) return "[…]";
  const inside = [...above, value];
  const inner = (part: unknown) => asJson(part, inside);
  const items = (parts: Iterable<unknown>) => Array.from(parts, (part) => inner(part) ?? null);
  if (Array.isArray(value)) return items(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString();
  if (value instanceof URL || value instanceof RegExp) return String(value);
  if (value instanceof Set) return items(value);
  if (value instanceof Map) return items(value);
  if (value instanceof ArrayBuffer) return Buffer.from(value).toString("base64");
  if (ArrayBuffer.isView(value))
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64");
  if (value instanceof Error) {
    const { name, message, cause } = value;
    return {
      name,
      message,
      ...(cause === undefined ? {} : { cause: inner(cause) }),
      ...fieldsOf(value, inner),
    };
  }
  return fieldsOf(value, inner);
}

const fieldsOf = (value: object, inner: (part: unknown) => unknown): Record<string, unknown> =>
  Object.fromEntries(Object.entries(value).map(([name, part]) => [name, inner(part)]));
