import { decode, type Encoded, encode } from "../codec.ts";
import { digestOf } from "../json.ts";
import type { Entry, Observation } from "../ledger/entry.ts";
import { parseKey } from "../ledger/key.ts";
import { requestOf } from "../rebuild-request.ts";
import type { RecordedRun } from "../recorded-run.ts";
import { REDACTED, type RedactedField, Redactor } from "../redact.ts";
import { RequestMemo } from "../request.ts";

/** What stands at a path is taken out wherever it occurs, from this length on: shorter texts occur by chance. */
const SHORTEST_SECRET = 6;

/**
 * The same run without what is not to leave the house. What a path leads to is taken out there, and, a text of six or more
 * characters, wherever else it occurs: a tool's output stands in the next prompt as well. Digests are made anew, so that
 * code that is run over the result, with the same taken out of what it asks, finds its place.
 */
export async function redactRun(
  recorded: RecordedRun,
  paths: readonly string[],
  patterns: readonly RegExp[],
): Promise<{ entries: Entry[]; blobs: Map<string, string> }> {
  const requests = new Map<number, unknown>();
  for (const entry of recorded.entries) {
    if (entry.kind !== "observation" || !entry.request) continue;
    requests.set(entry.seq, await requestOf(entry, recorded.blobs));
  }
  const secrets = secretsIn(recorded.entries, requests, new Redactor(paths));
  const redactor = new Redactor(paths, {
    patterns: [...patterns, ...secrets.map((secret) => new RegExp(escaped(secret)))],
  });

  const blobs = new Map<string, string>();
  const memos = new Map<string, RequestMemo>();
  /** Which digest has become which. */
  const digests = new Map<string, string>();
  const asked = new Map<number, Pick<Observation, "request">>();
  for (const entry of recorded.entries) {
    if (entry.kind === "intent" && entry.value !== undefined && entry.call !== "model") {
      digests.set(entry.digest, digestOf(redactor.apply("input", decode(entry.value))));
    }
    if (entry.kind !== "observation" || !entry.request) continue;
    const { lane } = parseKey(entry.step);
    const memo = memos.get(lane) ?? new RequestMemo();
    memos.set(lane, memo);
    const anew = memo.ask(redactor.apply("request", requests.get(entry.seq)), entry.name);
    for (const { hash, value } of anew.blobs()) blobs.set(hash, value);
    anew.kept();
    digests.set(entry.digest, anew.digest);
    asked.set(entry.seq, { request: anew.request });
  }

  const entries = recorded.entries.map((entry): Entry => {
    const { value, ...rest } = entry as Entry & { value?: Encoded };
    const digest = "digest" in entry ? { digest: digests.get(entry.digest) ?? entry.digest } : {};
    const large = value === undefined ? {} : { value: encode(redactor.apply(fieldOf(entry), decode(value))) };
    return {
      ...redactor.apply("value", rest),
      ...namesOf(entry),
      ...digest,
      ...asked.get(entry.seq),
      ...large,
    } as Entry;
  });
  return { entries, blobs };
}

/** What matching goes by is left as it is. */
function namesOf(entry: Entry): object {
  const { kind, at, runId } = entry;
  const step = "step" in entry ? { step: entry.step } : {};
  const name = "name" in entry ? { name: entry.name } : {};
  const steps = entry.kind === "note" && entry.note === "resampled" ? { steps: entry.steps } : {};
  return { kind, at, runId, ...step, ...name, ...steps };
}

function fieldOf(entry: Entry): RedactedField {
  switch (entry.kind) {
    case "observation":
      return entry.ok ? "output" : "error";
    case "resolution":
      return "output";
    case "note":
      return entry.note === "ended" && entry.status === "succeeded" ? "output" : "error";
    case "outcome":
      return entry.status === "succeeded" ? "value" : "error";
    default:
      return "input";
  }
}

function secretsIn(
  entries: readonly Entry[],
  requests: ReadonlyMap<number, unknown>,
  paths: Redactor,
): string[] {
  const secrets = new Set<string>();
  const look = (field: RedactedField, value: unknown) => collect(value, paths.apply(field, value), secrets);
  for (const entry of entries) {
    if ("value" in entry && entry.value !== undefined) look(fieldOf(entry), decode(entry.value));
    if (requests.has(entry.seq)) look("request", requests.get(entry.seq));
  }
  // The longest first: one may be part of another.
  return [...secrets].sort((a, b) => b.length - a.length);
}

/** The texts and numbers that stand where something was taken out. */
function collect(before: unknown, after: unknown, secrets: Set<string>): void {
  if (before === after) return;
  if (after === REDACTED) {
    for (const text of leavesOf(before)) if (text.length >= SHORTEST_SECRET) secrets.add(text);
  } else if (typeof before === "object" && before !== null) {
    for (const [name, part] of Object.entries(before)) {
      collect(part, (after as Record<string, unknown>)[name], secrets);
    }
  }
}

function leavesOf(value: unknown): string[] {
  if (typeof value === "object" && value !== null) return Object.values(value).flatMap(leavesOf);
  return typeof value === "string" || typeof value === "number" ? [String(value)] : [];
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
