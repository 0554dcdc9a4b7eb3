import { createHash } from "node:crypto";
import type { RecordedCall } from "../store/before.ts";
import type { Told } from "../store/feed.ts";

/** A span as OTLP has it: https://opentelemetry.io/docs/specs/otlp/ */
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  /** 1: internal. 3: client. */
  readonly kind: 1 | 3;
  readonly start: Date;
  readonly end: Date;
  readonly attributes: Readonly<Record<string, string | number | boolean | undefined>>;
  /** Other spans that it is about. */
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly failed: boolean;
}

/** What stands on record of a run before an entry of it. */
export interface Before {
  readonly startedAt: Date;
  /** How many calls, and the last of them. */
  readonly calls: number;
  readonly last: readonly RecordedCall[];
}

/**
 * The spans that an entry ends, by the GenAI semantic conventions: a call with its observation, a run with its outcome, and
 * for each takeover one that marks it, over those of the calls that are replayed from there on. A replayed call is marked,
 * linked to the call that was made, takes no time, and says nothing of tokens and cost: those are counted once. Ids are
 * derived from the run and the step: whichever process makes a span, and however often, it is the same span of the same trace.
 *
 * https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
 */
export function spansOf(entry: Told, before: Before): Span[] {
  const { runId, place, kind, at, epoch, agent } = entry;
  const fields = JSON.parse(entry.body) as Fields;
  const traceId = hex(32, runId);
  const run = { traceId, parentSpanId: hex(16, runId, "run") };
  const spanId = hex(16, runId, String(place.seq));
  const ours = { "holdfast.run.id": runId, "holdfast.epoch": epoch, "holdfast.seq": place.seq };
  const about = { "gen_ai.conversation.id": runId, "gen_ai.agent.name": agent ?? undefined, ...ours };
  const named = agent === null ? "" : ` ${agent}`;
  switch (kind) {
    case "observation": {
      const { ms } = fields;
      if (ms === undefined) return []; // a time or an id that was recorded: no call
      const call = {
        ...run,
        spanId,
        ...callOf(fields),
        start: new Date(at.getTime() - ms),
        end: at,
        attributes: { ...about, "holdfast.step": entry.step ?? undefined, ...attributesOf(fields) },
        failed: fields.ok === false,
      };
      return [call];
    }
    case "takeover": {
      if (fields.after === "start") return [];
      const takeover: Span = {
        ...run,
        spanId,
        name: `takeover after ${fields.after}`,
        kind: 1,
        start: at,
        end: at,
        attributes: { ...about, "holdfast.worker": fields.worker, "holdfast.replayed.calls": before.calls },
        failed: fields.after === "crash",
      };
      const replayed = before.last.map((call): Span => {
        const { name } = callOf(JSON.parse(call.body) as Fields);
        return {
          traceId,
          parentSpanId: spanId,
          spanId: hex(16, runId, String(place.seq), String(call.seq)),
          name: `replayed ${name}`,
          kind: 1,
          start: at,
          end: at,
          attributes: { ...about, "holdfast.step": call.step, "holdfast.replayed": true },
          links: [{ traceId, spanId: hex(16, runId, String(call.seq)) }],
          failed: false,
        };
      });
      return [takeover, ...replayed];
    }
    case "outcome": {
      const ended: Span = {
        traceId,
        spanId: run.parentSpanId,
        name: `invoke_agent${named}`,
        kind: 1,
        start: before.startedAt,
        end: at,
        attributes: { "gen_ai.operation.name": "invoke_agent", ...about, "holdfast.status": fields.status },
        failed: fields.status === "failed",
      };
      return [ended];
    }
    default:
      return [];
  }
}

interface Fields {
  readonly call?: "model" | "tool" | "step";
  readonly name?: string;
  readonly ok?: boolean;
  readonly ms?: number;
  readonly cost?: number;
  readonly usage?: {
    readonly inputTokens?: number;
    readonly outputTokens?: number;
    readonly cachedInputTokens?: number;
  };
  readonly after?: string;
  readonly worker?: string;
  readonly status?: string;
}

function callOf({ call, name = "" }: Fields): Pick<Span, "name" | "kind"> {
  if (call === "model") return { name: `chat ${modelOf(name).model}`, kind: 3 };
  return call === "tool" ? { name: `execute_tool ${name}`, kind: 1 } : { name, kind: 1 };
}

function attributesOf({ call, name = "", usage, cost, ok }: Fields): Span["attributes"] {
  const common = { "holdfast.cost.micros": cost, "error.type": ok === false ? "_OTHER" : undefined };
  if (call === "tool")
    return { "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name, ...common };
  if (call !== "model") return common;
  const { provider, model } = modelOf(name);
  return {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": provider,
    "gen_ai.request.model": model,
    "gen_ai.usage.input_tokens": usage?.inputTokens,
    "gen_ai.usage.cache_read.input_tokens": usage?.cachedInputTokens,
    "gen_ai.usage.output_tokens": usage?.outputTokens,
    ...common,
  };
}

/** Adapters name a model `provider/model`. */
function modelOf(name: string): { provider: string | undefined; model: string } {
  const cut = name.indexOf("/");
  return cut < 0
    ? { provider: undefined, model: name }
    : { provider: name.slice(0, cut), model: name.slice(cut + 1) };
}

const hex = (digits: number, ...parts: readonly string[]): string =>
  createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, digits);
