import { userInfo } from "node:os";
import { type Holdfast, HoldfastError, openHoldfast, Redactor } from "@holdfast/core";
import { type Shown, shownBy } from "@holdfast/server";
import { type Command, Option } from "commander";
import type { Terminal } from "./terminal.ts";

/** The options that every command takes. */
export interface Common {
  readonly database?: string;
  readonly json?: boolean;
}

/** How a command shows what it has found, and how it says so. */
export interface Showing {
  readonly shown: Shown;
  /** Says it as JSON where that was asked for, else as the text that `lines` makes. */
  readonly say: (json: unknown, lines: () => readonly string[]) => void;
}

/** What a command has to work with: an open Holdfast beside that. */
export interface At extends Showing {
  readonly hf: Holdfast;
  readonly json: boolean;
}

export function showing(terminal: Terminal, { json = false }: Common): Showing {
  const say: Showing["say"] = (said, lines) =>
    terminal.out(
      json
        ? `${JSON.stringify(said, null, 2)}\n`
        : lines()
            .map((line) => `${line}\n`)
            .join(""),
    );
  return { shown: shownBy(new Redactor()), say };
}

/** Opens Holdfast for one command, without touching its schema, and closes it after. */
export async function connected<T>(
  command: Command,
  terminal: Terminal,
  work: (at: At) => Promise<T>,
): Promise<T> {
  const { database, json = false } = command.optsWithGlobals<Common>();
  const hf = await openHoldfast({ ...(database === undefined ? {} : { database }), migrate: false });
  try {
    return await work({ hf, ...showing(terminal, { json }), json });
  } finally {
    await hf.close({ graceSeconds: 0 });
  }
}

/** Who says so, for commands that write: it stands in the ledger. */
export const byOption = () =>
  new Option("--by <name>", "who says so; it is recorded").default(userInfo().username);

/** A whole number from an option. */
export const wholeNumber = (name: string) => (text: string) => {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new HoldfastError("INVALID_ARGUMENT", { argument: name, why: `must be a whole number, not ${text}` });
};

/** JSON from an option. */
export function parsed(argument: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new HoldfastError("INVALID_ARGUMENT", {
      argument,
      why: `must be JSON, a text in quotes too: not ${text}`,
    });
  }
}
