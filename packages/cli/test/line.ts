import { type Holdfast, openHoldfast, step } from "@holdfast/core";
import { afterAll, beforeAll } from "vitest";
import { freshDatabase } from "../../../test/fresh-database.ts";
import { run } from "../src/run.ts";

/** What a command line came to. */
export interface Ended {
  readonly exit: number;
  readonly out: string;
  readonly err: string;
}

/** A database, a Holdfast on it, and the command line pointed at it, for the tests of one file. */
export function useCommandLine() {
  let database: Awaited<ReturnType<typeof freshDatabase>>;
  let hf: Holdfast;

  beforeAll(async () => {
    database = await freshDatabase();
    hf = await openHoldfast({ database: database.url });
  });
  afterAll(async () => {
    await hf?.close({ graceSeconds: 0 });
    await database?.drop();
  });

  return {
    get hf() {
      return hf;
    },
    get url() {
      return database.url;
    },
    /** Runs `holdfast` with these arguments, as in a pipe. */
    holdfast: (...args: string[]): Promise<Ended> => holdfast(["--database", database.url, ...args]),
    /** The same with --json, its output read. */
    async json(...args: string[]) {
      const { out } = await holdfast(["--database", database.url, ...args, "--json"]);
      return JSON.parse(out);
    },
  };
}

export interface Around {
  readonly colors?: boolean;
  readonly width?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly stop?: AbortSignal;
  /** Called with what was written so far. */
  readonly onOut?: (out: string) => void;
}

export async function holdfast(args: readonly string[], around: Around = {}): Promise<Ended> {
  const { colors = false, width = Number.POSITIVE_INFINITY, env = {}, onOut } = around;
  const { stop = new AbortController().signal } = around;
  let [out, err] = ["", ""];
  const exit = await run(args, {
    out: (text) => {
      out += text;
      onOut?.(out);
    },
    err: (text) => {
      err += text;
      onOut?.(out + err);
    },
    width,
    colors,
    env,
    stop,
  });
  return { exit, out, err };
}

let ids = 0;
export const newId = () => `run-${++ids}`;

/** A run with a call in doubt: its time limit was over before it had answered. */
export async function aDoubt(hf: Holdfast, id = newId()): Promise<{ id: string; step: string }> {
  const waiting = hf.run(
    id,
    () => step("send_wire", () => new Promise(() => {}), { timeoutMs: 1, input: { cents: 5 } }),
    { agent: "payer" },
  );
  await waiting.catch(() => {});
  const [doubt] = await hf.doubts.list({ runId: id });
  if (!doubt) throw new Error("the run has no doubt");
  return { id, step: doubt.step };
}
