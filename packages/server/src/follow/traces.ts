import { type Holdfast, HoldfastError, type Queryable } from "@holdfast/core";
import { getRecorded, getStart } from "../store/before.ts";
import { isWorkedOn, type Told } from "../store/feed.ts";
import { version } from "../version.ts";
import { type Following, follow } from "./follower.ts";
import { type Before, type Span, spansOf } from "./spans.ts";

export interface TraceOptions {
  /** Of a collector that takes OTLP over HTTP: `http://collector:4318/v1/traces`. */
  readonly url: string;
  /** Sent with each request: a key, where the collector asks for one. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Default `holdfast`. */
  readonly serviceName?: string;
}

const ANSWER_MS = 10_000;

/**
 * Sends spans of what is committed to a collector, as OTLP/HTTP with JSON: runs, and in each its model calls, tool calls and
 * steps. Each span at least once, under the same id. Throws INVALID_ARGUMENT.
 */
export async function startTraces(
  hf: Holdfast,
  { url, headers = {}, serviceName = "holdfast" }: TraceOptions,
): Promise<Following> {
  if (!/^https?:/.test(URL.parse(url)?.protocol ?? ""))
    throw new HoldfastError("INVALID_ARGUMENT", {
      argument: "url",
      why: "must be an address of http or https",
    });
  return await follow(hf, `traces:${url}`, async (entries) => {
    const spans = await spansIn(hf, entries);
    if (spans.length === 0) return { told: entries.length };
    try {
      const { status } = await fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: JSON.stringify(otlpOf(spans, serviceName)),
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      if (status >= 200 && status < 300) return { told: entries.length };
      // What a collector will never take is not sent again for ever: everything behind it would wait.
      return status === 400 || status === 413
        ? { told: entries.length }
        : { told: 0, error: `answered with ${status}` };
    } catch (error) {
      return { told: 0, error };
    }
  });
}

/** Calls of one takeover that have spans of their own; more are counted by it. */
const MOST_REPLAYED = 200;

async function spansIn(hf: Holdfast, entries: readonly Told[]): Promise<Span[]> {
  const { db } = await hf.opened();
  const spans: Span[] = [];
  for (const entry of entries) if (!entry.isCopy) spans.push(...spansOf(entry, await beforeOf(db, entry)));
  return spans;
}

async function beforeOf(db: Queryable, { kind, place, at, body }: Told): Promise<Before> {
  const none: Before = { startedAt: at, calls: 0, last: [] };
  if (kind === "outcome") return { ...none, startedAt: (await getStart(db, place)) ?? at };
  if (kind === "takeover" && isWorkedOn(body))
    return { ...none, ...(await getRecorded(db, place, MOST_REPLAYED)) };
  return none;
}

/** https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto, as JSON. */
const otlpOf = (spans: readonly Span[], serviceName: string) => ({
  resourceSpans: [
    {
      resource: { attributes: attributesOf({ "service.name": serviceName }) },
      scopeSpans: [
        {
          scope: { name: "@holdfast/server", version },
          spans: spans.map(({ start, end, attributes, failed, ...span }) => ({
            ...span,
            startTimeUnixNano: nanos(start),
            endTimeUnixNano: nanos(end),
            attributes: attributesOf(attributes),
            status: failed ? { code: 2 } : {},
          })),
        },
      ],
    },
  ],
});

type Value =
  | { stringValue: string }
  | { boolValue: boolean }
  | { intValue: string }
  | { doubleValue: number };

const attributesOf = (attributes: Span["attributes"]): { key: string; value: Value }[] =>
  Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [{ key, value: anyValue(value) }],
  );

function anyValue(value: string | number | boolean): Value {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}

const nanos = (at: Date) => String(BigInt(at.getTime()) * 1_000_000n);
