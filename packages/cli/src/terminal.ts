import { styleText } from "node:util";

export type Style = Parameters<typeof styleText>[0];

/** Where the command line reads and writes: the process' own streams, or those of a test. */
export interface Terminal {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Columns. What is not a terminal is as wide as needed. */
  readonly width: number;
  readonly colors: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted when the user has had enough: Ctrl-C, or the service manager. */
  readonly stop: AbortSignal;
}

/** Colour and columns only where somebody looks: not in a pipe or file, nor where NO_COLOR is set. */
export function ownTerminal(stop: AbortSignal): Terminal {
  const { stdout, stderr, env } = process;
  return {
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    width: stdout.isTTY ? stdout.columns : Number.POSITIVE_INFINITY,
    colors: stdout.isTTY && !env.NO_COLOR && env.TERM !== "dumb",
    env,
    stop,
  };
}

export type Paint = (style: Style, text: string) => string;

export const paintOn =
  ({ colors }: Pick<Terminal, "colors">): Paint =>
  (style, text) =>
    colors && text !== "" ? styleText(style, text, { validateStream: false }) : text;
