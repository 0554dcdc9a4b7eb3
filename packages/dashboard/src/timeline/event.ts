import { duration } from "../format.ts";
import type { Entry, EntryOf } from "./entry.ts";
import type { Tone } from "./row.ts";

interface Told {
  readonly tone: Tone;
  readonly text: string;
}

/** What an entry tells as a line of its own; undefined for those that are part of a call, and for takeovers. */
export function eventOf(entry: Entry, nameOf: (step: string) => string): Told | undefined {
  switch (entry.kind) {
    case "start":
      return {
        tone: "plain",
        text: `Started${entry.by ? ` by ${entry.by}` : ""}${entry.agent ? `: ${entry.agent}` : ""}`,
      };
    case "answer":
      return answered(entry, nameOf(entry.step));
    case "doubt":
      return { tone: "warn", text: `In doubt: ${nameOf(entry.step)}. ${entry.why}` };
    case "resolution": {
      const what = entry.happened ? "it happened" : "it did not happen";
      return { tone: "good", text: `${entry.by} resolved ${nameOf(entry.step)}: ${what}${said(entry)}` };
    }
    case "command":
      return { tone: "ask", text: `${entry.by} told it to ${commands[entry.command]}` };
    case "outcome":
      return entry.status === "succeeded"
        ? { tone: "good", text: "Succeeded" }
        : { tone: "bad", text: `Ended: ${entry.status}${entry.reason ? `, ${entry.reason}` : ""}` };
    case "note":
      return noted(entry, nameOf);
    default:
      return undefined;
  }
}

const said = ({ comment }: { readonly comment?: string | undefined }) => (comment ? ` (“${comment}”)` : "");

const commands: Record<EntryOf<"command">["command"], string> = {
  cancel: "stop for good",
  pause: "pause",
  resume: "go on",
  send: "take a message",
  redrive: "be redriven",
  raiseBudget: "spend up to a higher budget",
};

function answered(entry: EntryOf<"answer">, name: string): Told {
  switch (entry.says) {
    case "approved":
      return { tone: "good", text: `${entry.by} approved ${name}${said(entry)}` };
    case "denied":
      return { tone: "bad", text: `${entry.by} denied ${name}${said(entry)}` };
    case "input":
      return { tone: "good", text: `${entry.by} answered${said(entry)}` };
    case "expired":
      return { tone: "warn", text: `Nobody answered in time: ${name}` };
    case "withdrawn":
      return { tone: "plain", text: `The question about ${name} was withdrawn` };
  }
}

function noted(entry: EntryOf<"note">, nameOf: (step: string) => string): Told | undefined {
  switch (entry.note) {
    case "counted":
      return undefined;
    case "drift":
      return {
        tone: "warn",
        text: `Drift: ${nameOf(entry.step)} was asked otherwise than on record (${entry.differs.join(", ")}); the record answered`,
      };
    case "resampled":
      return { tone: "plain", text: `Tried again: ${count(entry.steps.length, "model answer")} set aside` };
    case "retried":
      return {
        tone: "warn",
        text: `${nameOf(entry.step)} failed: ${entry.error}. Tried again after ${duration(entry.waitMs)}`,
      };
    case "settled":
      return { tone: "plain", text: `${entry.name} has no answer on record: ${entry.why}` };
    case "parked":
      return { tone: "ask", text: `Parked: it waits for ${waits[entry.waitingOn]}, and holds no process` };
    case "released":
      return { tone: "plain", text: "The lease was given back" };
    case "failing":
      return { tone: "warn", text: `Failed: ${entry.error}. Tried again after ${duration(entry.waitMs)}` };
    case "ended":
      return { tone: "plain", text: `Run ${entry.run} (${entry.name}) ended: ${entry.status}` };
    case "forked":
      return {
        tone: "plain",
        text: `Forked from ${entry.from}: ${count(entry.shared, "entry", "entries")} above are copies`,
      };
  }
}

const waits: Record<Extract<EntryOf<"note">, { note: "parked" }>["waitingOn"], string> = {
  approval: "an approval",
  input: "an answer",
  doubt: "a doubt to be resolved",
  budget: "budget",
  timer: "its time",
  dependency: "other runs",
  caller: "its caller",
};

const count = (n: number, one: string, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;
