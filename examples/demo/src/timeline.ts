import { styleText } from "node:util";
import type { LedgerEntry } from "@holdfast/core";

/** Each entry with its seq, kind and name, and a divider where another process took over. */
export function printTimeline(runId: string, entries: readonly LedgerEntry[]): void {
  console.log(`\n${paint("bold", `Timeline of ${runId}`)}\n`);
  console.log(paint("dim", `${"seq".padStart(5)}${"ms".padStart(7)}  ${"kind".padEnd(13)}name`));
  const names = new Map<string, string>(); // by step: a doubt and its resolution only say which step they mean
  const underWay = new Set<string>();
  for (const entry of entries) {
    if (entry.kind === "intent") names.set(entry.step, entry.name);
    if (entry.kind === "takeover" && entry.after !== "start") {
      console.log(divider(entry.after, [...underWay].map((step) => names.get(step) ?? step).join(", ")));
    }
    if (entry.kind === "intent") underWay.add(entry.step);
    else if ("step" in entry && entry.kind !== "note") underWay.delete(entry.step);

    const name = nameOf(entry) ?? ("step" in entry ? (names.get(entry.step) ?? entry.step) : "");
    const ms = entry.at.getTime() - (entries[0]?.at.getTime() ?? 0);
    const place = paint("dim", `${String(entry.seq).padStart(5)}${String(ms).padStart(7)}`);
    const kind = paint(styles[entry.kind], entry.kind.padEnd(13));
    console.log(`${place}  ${kind}${name.padEnd(22)}  ${cut(saying(entry), width - 51)}`);
  }
}

const width = Math.max(80, process.stdout.columns ?? 110);

const styles: Record<LedgerEntry["kind"], Style> = {
  start: "bold",
  takeover: "magenta",
  intent: "yellow",
  observation: "green",
  refusal: "red",
  doubt: "red",
  resolution: "cyan",
  question: "cyan",
  answer: "cyan",
  command: "cyan",
  note: "dim",
  outcome: "bold",
};

function divider(after: string, underWay: string): string {
  const cutOff = underWay && `; ${underWay} was under way`;
  return paint("magenta", `  ── another process took over, after a ${after}${cutOff} `.padEnd(width, "─"));
}

function nameOf(entry: LedgerEntry): string | undefined {
  switch (entry.kind) {
    case "start":
      return entry.agent;
    case "takeover":
      return entry.worker;
    case "intent":
    case "observation":
    case "refusal":
    case "question":
      return entry.name;
    case "note":
      return entry.note;
    case "command":
      return entry.command;
    case "outcome":
      return entry.status;
    case "doubt":
    case "resolution":
    case "answer":
      return undefined;
  }
}

/** What there is to say of an entry beyond its name, in a line. */
function saying(entry: LedgerEntry): string {
  switch (entry.kind) {
    case "start":
      return show(entry.input);
    case "takeover":
      return `epoch ${entry.epoch}`;
    case "intent":
      // The key matters where a repeat is allowed: it is the same in both attempts.
      if (entry.effect !== "idempotent") return `${entry.effect}  ${show(entry.input)}`;
      return `${entry.effect}, key ${entry.key.slice(0, 9)}…  ${show(entry.input)}`;
    case "observation":
      if (!entry.ok) return `threw ${show(entry.error)}`;
      return entry.call === "model" ? answered(entry.output) : `→ ${show(entry.output)}`;
    case "doubt":
      return entry.why;
    case "resolution":
      return `${entry.happened ? "happened" : "did not happen"}, says ${entry.by}`;
    case "outcome":
      return show(entry.status === "failed" ? entry.error : entry.value);
    case "note":
      return entry.note === "parked" ? `waits for ${entry.waitingOn}` : "";
    case "refusal":
      return entry.reason;
    case "question":
      return entry.text;
    case "answer":
      return `${entry.says}, says ${entry.by}`;
    case "command":
      return `by ${entry.by}`;
  }
}

/** A model's answer: the tool calls it asks for, else its text. Each framework records it in a form of its own. */
function answered(answer: unknown): string {
  const { content = [], output = [] } = answer as { content?: Part[]; output?: Part[] };
  const parts = [...content, ...output].flatMap((part) => [part, ...(part.content ?? [])]);
  const calls = parts.flatMap(({ toolName, name }) => toolName ?? name ?? []);
  const text = parts.map((part) => part.text ?? "").join("");
  return calls.length > 0 ? `asks for ${calls.join(", ")}` : show(text);
}

interface Part {
  readonly toolName?: string; // of a call, in the AI SDK
  readonly name?: string; // the same in the OpenAI Agents SDK, where texts are the content of messages
  readonly text?: string;
  readonly content?: readonly Part[];
}

const show = (value: unknown): string => (value === undefined ? "" : JSON.stringify(value));

const cut = (text: string, length: number): string =>
  text.length > length ? `${text.slice(0, length - 1)}…` : text;

export interface Summary {
  readonly status: string;
  readonly paid: number;
  readonly replayed: number;
  readonly attempts: number;
  readonly refunds: number;
  readonly mails: number;
}

/** Label and number stand side by side, aligned at the colon. */
export function printSummary(summary: Summary): void {
  const labels: Record<keyof Summary, string> = {
    status: "status",
    paid: "model calls paid",
    replayed: "model calls replayed",
    attempts: "dispatch attempts",
    refunds: "refunds",
    mails: "e-mails",
  };
  console.log();
  for (const name of Object.keys(labels) as (keyof Summary)[]) {
    console.log(`${labels[name].padStart(22)}: ${summary[name]}`);
  }
  console.log();
}

const startedAt = performance.now();

/** One line of what goes on between the processes. */
export function say(who: string, what: string): void {
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(2);
  console.log(`${paint("dim", `${seconds.padStart(6)} s`)}  ${paint("bold", who.padEnd(10))}${what}`);
}

type Style = NonNullable<Parameters<typeof styleText>[0]>;

/** styleText asks the terminal: no colour in a pipe, nor where NO_COLOR is set. */
function paint(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stdout });
}
