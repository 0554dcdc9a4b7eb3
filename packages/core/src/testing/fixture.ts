import { AssertionError } from "node:assert";
import { readFile, writeFile } from "node:fs/promises";
import { canKeep, encode } from "../codec.ts";
import type { Located } from "../course.ts";
import { parseRunFile, type RunFile, recordOf, writeRunFile } from "../export/run-file.ts";
import type { Entry } from "../ledger/entry.ts";
import { blobsNamedIn } from "../rebuild-request.ts";
import { Redactor } from "../redact.ts";
import type { ToolSettings } from "../settings.ts";
import { type Departure, departureText, type Trace, traceRun, type Work } from "../trace/trace.ts";

export interface FixtureOptions {
  /** What openHoldfast was given under `tools`: needed where a tool has a business key. */
  readonly tools?: Readonly<Record<string, ToolSettings>>;
  /** Write the record anew where the code has changed. Default: what HOLDFAST_UPDATE says. */
  readonly update?: boolean;
}

/**
 * Runs `work` over an exported run (the path of its file, or its text), offline and without a database, and gives back what
 * it comes to. Rejects with an AssertionError that names the turn and shows how it differs where the code does not do what
 * is on record. With HOLDFAST_UPDATE=1 a changed prompt, tool schema or value is written to the file instead.
 */
export async function replayFixture<T, I = never>(
  file: string | URL,
  work: Work<T, I>,
  { tools = {}, update = isUpdating() }: FixtureOptions = {},
): Promise<T> {
  const isText = typeof file === "string" && file.trimStart().startsWith("{");
  const recorded = await parseRunFile(isText ? file : await readFile(file, "utf8"));
  const { paths, patterns } = recorded.redacted;
  const redactor = new Redactor(paths, {
    patterns: patterns.map(([source, flags]) => new RegExp(source, flags)),
  });
  const asked = new Asked();
  const { trace } = await traceRun(recordOf(recorded), work as Work<T>, {
    tools,
    redactor,
    onAsked: (located) => asked.add(located),
  });
  const canUpdate =
    trace.departures.every(({ at }) => at === "drift" || at === "end") && trace.error === undefined;
  if (!trace.follows && update && canUpdate && !isText) {
    await writeFile(file, writeRunFile(await updated(recorded, asked, trace, redactor)));
  } else if (!trace.follows) {
    throw failure(trace, canUpdate ? UPDATE : ANEW);
  }
  if (trace.ended === "record") {
    throw new AssertionError({
      message: `The record of run ${trace.runId} ends before the code does: it was not finished.`,
    });
  }
  if (trace.error !== undefined) throw trace.error;
  return trace.value as T;
}

const UPDATE = "If that is meant, run the test again with HOLDFAST_UPDATE=1.";
const ANEW = "The record has no answer to that: record a new run and export it.";

const isUpdating = () => !["", "0", "false", undefined].includes(process.env.HOLDFAST_UPDATE);

const failure = ({ runId, departures }: Trace, advice: string) =>
  new AssertionError({
    message: [`The code does not follow run ${runId}.`, ...shown(departures), advice].join("\n\n"),
  });

/** A prompt that changed is another one in every turn: how it differs is shown once. */
function shown(departures: readonly Departure[]): string[] {
  const seen = new Set<string>();
  return departures.map((departure) => {
    const differences = JSON.stringify(departure.differences);
    if (departure.differences.length === 0 || !seen.has(differences)) {
      seen.add(differences);
      return departureText(departure);
    }
    return `${departureText({ ...departure, differences: [] })}\n  (as shown above)`;
  });
}

/** What the models were asked by the code, and the parts of that. */
class Asked {
  readonly byStep = new Map<string, NonNullable<Located["asked"]>>();
  readonly blobs = new Map<string, string>();

  add({ key, asked }: Located): void {
    if (!asked) return;
    this.byStep.set(key, asked);
    for (const { hash, value } of asked.blobs()) this.blobs.set(hash, value);
    asked.kept();
  }
}

/** The file with what the code asks now, answered as it was, and with the value it comes to now. */
async function updated(file: RunFile, asked: Asked, { value }: Trace, redactor: Redactor): Promise<RunFile> {
  // Of a step that was set aside and done again, the last is the one that counts.
  const last = new Map(
    file.entries.map((entry) => ["step" in entry ? `${entry.kind} ${entry.step}` : "", entry.seq]),
  );
  const entries = file.entries.map((entry): Entry => {
    if (entry.kind === "outcome" && entry.status === "succeeded") {
      const kept = canKeep(value);
      return { ...entry, kept, value: kept ? encode(redactor.apply("value", value)) : undefined };
    }
    if (!("step" in entry) || last.get(`${entry.kind} ${entry.step}`) !== entry.seq) return entry;
    const now = asked.byStep.get(entry.step);
    if (!now) return entry;
    if (entry.kind === "observation") return { ...entry, digest: now.digest, request: now.request };
    return entry.kind === "intent" ? { ...entry, digest: now.digest } : entry;
  });
  const blobs = new Map([...file.blobs, ...asked.blobs]);
  return { ...file, entries, blobs: await blobsNamedIn(entries, recordOf({ ...file, blobs }).blobs) };
}
