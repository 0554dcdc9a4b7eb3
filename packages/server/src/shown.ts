import type {
  DeadLetter,
  Difference,
  LedgerEntry,
  OpenDoubt,
  OpenQuestion,
  RedactedField,
  Redactor,
  Replayed,
  ReplayOptions,
  RunDiff,
  RunSummary,
  RunView,
  Trace,
} from "@holdfast/core";

/** What the API shows of what Holdfast tells: JSON, without what the configured paths lead to. */
export type Shown = ReturnType<typeof shownBy>;

/** An entry's stamp; the fields of its kind are beside it. */
export interface ShownEntry extends Readonly<Record<string, unknown>> {
  readonly runId: string;
  readonly seq: number;
  readonly epoch: number;
  readonly at: string;
  readonly kind: string;
}

const VALUES = ["input", "output", "error", "value"] as const satisfies readonly RedactedField[];

/** `everything`: no path is configured, so that nothing has to be looked for. */
export function shownBy(redactor: Redactor, everything = true) {
  const value = (field: RedactedField, value: unknown) => asJson(redactor.apply(field, value));
  const difference = ({ path, lines }: Difference) => ({
    path,
    lines: everything ? [...lines] : ["[redacted]"],
  });
  const diff = ({ input, steps, end, ...diff }: RunDiff) => ({
    ...diff,
    input: input.map(difference),
    steps: steps.map(({ asked, outcome, usage: { a, b }, ...step }) => ({
      ...step,
      asked: asked.map(difference),
      outcome: outcome.map(difference),
      usage: { a: a && { ...a }, b: b && { ...b } },
    })),
    end: end.map(difference),
  });
  return {
    value,
    summary: summaryOf,
    run: (run: RunView) => ({
      ...summaryOf(run),
      input: value("input", run.input),
      value: value("value", run.value),
      error: value("error", run.error),
      attempts: run.attempts,
      budget: run.budget,
    }),
    entry: (entry: LedgerEntry): ShownEntry => {
      const { runId, seq, epoch, at, kind, ...rest } = entry;
      const fields: Record<string, unknown> = { ...rest };
      for (const field of VALUES) if (field in fields) fields[field] = value(field, fields[field]);
      return { runId, seq, epoch, at: at.toISOString(), kind, ...fields };
    },
    doubt: (doubt: OpenDoubt) => ({
      ...doubt,
      input: value("input", doubt.input),
      at: doubt.at.toISOString(),
    }),
    question: (question: OpenQuestion) => ({
      ...question,
      input: value("input", question.input),
      of: question.of && [...question.of],
      approved: [...question.approved],
      askedAt: question.askedAt.toISOString(),
      expiresAt: question.expiresAt?.toISOString(),
    }),
    deadLetter: ({ id, agent, status, at, error }: DeadLetter) => ({
      ...{ id, agent, status },
      at: at.toISOString(),
      error: value("error", error),
    }),
    /** Where paths are configured, it tells where two runs differ, and not how: its lines are text, which is not searched. */
    diff,
    trace: ({ departures, value: came, error, ...trace }: Trace) => ({
      mode: "trace" as const,
      ...trace,
      departures: departures.map(({ differences, ...departure }) => ({
        ...departure,
        differences: differences.map(difference),
      })),
      value: value("value", came),
      error: value("error", error),
    }),
    replayed: (mode: ReplayOptions["mode"], replayed: Replayed) => ({
      mode,
      id: replayed.id,
      value: value("value", replayed.value),
      error: value("error", replayed.error),
      diff: diff(replayed.diff),
    }),
  };
}

/** Field by field: what a run comes to hold one day is shown once somebody has seen to it that it may be. */
function summaryOf(run: RunSummary) {
  const { id, agent, version, status, waitingOn, seq, epoch, parent, forkedFrom, imported } = run;
  return {
    ...{ id, agent, version, status, waitingOn, seq, epoch, parent, forkedFrom, imported },
    tags: [...run.tags],
    createdAt: run.createdAt.toISOString(),
    finishedAt: run.finishedAt?.toISOString(),
    prunedAt: run.prunedAt?.toISOString(),
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
