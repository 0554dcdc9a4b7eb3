import type { LedgerEntry } from "@holdfast/core";
import { asJson } from "@holdfast/server";
import type { Paint, Style } from "../terminal.ts";
import { clean } from "./clean.ts";

/** What a timeline needs to know of the entries before the next one. */
export interface Timeline {
  /** The lines that an entry makes. */
  readonly lines: (entry: LedgerEntry) => string[];
}

const MOST = 110;

/** A line for each entry, with a divider where another process took over. */
export function timeline(paint: Paint, width: number): Timeline {
  const columns = Math.min(Math.max(width, 60), MOST);
  const names = new Map<string, string>(); // a doubt, a resolution and an answer only say which step they mean
  const underWay = new Set<string>();
  let begun: number | undefined;

  return {
    lines(entry) {
      begun ??= entry.at.getTime();
      const step = "step" in entry ? entry.step : undefined;
      const lines = [];
      if (entry.kind === "takeover" && entry.after !== "start") {
        const cutOff = clean([...underWay].map((key) => names.get(key) ?? key).join(", "));
        lines.push(divider(entry.after, cutOff, columns, paint));
      }
      if (entry.kind === "intent" || entry.kind === "question") names.set(entry.step, entry.name);
      if (entry.kind === "intent") underWay.add(entry.step);
      else if (step !== undefined && entry.kind !== "note") underWay.delete(step);

      const name = clean(nameIn(entry) ?? (step === undefined ? "" : (names.get(step) ?? step)));
      const place = `${String(entry.seq).padStart(5)}${span(entry.at.getTime() - begun).padStart(9)}`;
      const head = `${entry.kind.padEnd(12)}${name.padEnd(22)}`;
      const saying = cut(sayingOf(entry), columns - place.length - 2 - head.length - 1);
      const kind = paint(styles[entry.kind] ?? "reset", entry.kind.padEnd(12));
      lines.push(`${paint("dim", place)}  ${kind}${name.padEnd(22)} ${saying}`.trimEnd());
      return lines;
    },
  };
}

const styles: Readonly<Record<string, Style>> = {
  start: "bold",
  takeover: "magenta",
  intent: "yellow",
  observation: "green",
  refusal: "red",
  doubt: "red",
  resolution: "cyan",
  question: "yellow",
  answer: "cyan",
  command: "cyan",
  note: "dim",
  outcome: "bold",
};

const DIVIDES: Readonly<Record<string, string>> = {
  crash: "another process took over after a crash",
  handover: "another process took over, handed over in order",
  retry: "tried again",
  wait: "goes on after the wait",
};

function divider(after: string, cutOff: string, columns: number, paint: Paint): string {
  const text = `── ${DIVIDES[after] ?? after}${cutOff && `; ${cutOff} was under way`} `;
  return paint("magenta", `  ${text}`.padEnd(columns, "─"));
}

function nameIn(entry: LedgerEntry): string | undefined {
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
    default:
      return undefined;
  }
}

/** What there is to say of an entry beyond its name, in a line. */
function sayingOf(entry: LedgerEntry): string {
  switch (entry.kind) {
    case "start":
      return text(entry.input);
    case "takeover":
      return `epoch ${entry.epoch}`;
    case "intent":
      return [entry.effect, text(entry.input)].join("  ");
    case "observation":
      return [
        entry.ms === undefined ? "" : `${entry.ms} ms `,
        tokens(entry.usage),
        entry.ok ? `→ ${text(entry.output)}` : `threw ${text(entry.error)}`,
      ].join("");
    case "refusal":
      return entry.reason;
    case "doubt":
      return entry.why;
    case "resolution":
      return `${entry.happened ? "happened" : "did not happen"}, says ${entry.by}${entry.comment ? `: ${entry.comment}` : ""}`;
    case "question":
      return [entry.text, text(entry.input)].join("  ").trim();
    case "answer":
      return `${entry.says}, says ${entry.by}${entry.comment ? `: ${entry.comment}` : ""}`;
    case "command":
      return `by ${entry.by}`;
    case "note":
      return fieldsText(entry);
    case "outcome":
      return text(entry.status === "succeeded" ? entry.value : entry.error);
    default:
      return fieldsText(entry);
  }
}

/** The fields of its kind, as they stand. */
const fieldsText = (entry: LedgerEntry): string =>
  Object.entries(entry)
    .filter(([field, value]) => !STAMP.has(field) && value !== undefined)
    .map(([field, value]) => `${field} ${typeof value === "string" ? value : text(value)}`)
    .join(", ");

const STAMP = new Set(["runId", "seq", "epoch", "at", "kind", "note", "step"]);

function tokens(usage: Extract<LedgerEntry, { kind: "observation" }>["usage"]): string {
  if (!usage) return "";
  return `${usage.inputTokens ?? "?"}+${usage.outputTokens ?? "?"} tokens `;
}

const text = (value: unknown): string => JSON.stringify(asJson(value)) ?? "";

const span = (ms: number): string => (ms < 100_000 ? `${ms} ms` : `${Math.round(ms / 1000)} s`);

function cut(said: string, length: number): string {
  const shown = clean(said);
  return shown.length > length ? `${shown.slice(0, Math.max(0, length - 1))}…` : shown;
}
