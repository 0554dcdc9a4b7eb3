import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { type ErrorDetails, HoldfastError } from "@holdfast/core";
import type { Replay, Replaying, ShownReplay } from "@holdfast/server";

/** Replays each run in a process of its own, `holdfast` with these arguments: by the code as it stands in the files then. */
export const replayAnew =
  (holdfast: readonly string[], app: string): Replay =>
  async (runId, replaying) => {
    const asked = ["replay", `--app=${app}`, ...argumentsOf(replaying), "--json", "--", runId];
    const child = spawn(process.execPath, [...holdfast, ...asked], { stdio: ["ignore", "pipe", "pipe"] });
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
    // A trace that does not follow its record ends with 1, and says where all the same.
    if (out.trim() !== "") return JSON.parse(out) as ShownReplay;
    throw errorIn(err);
  };

function argumentsOf(replaying: Replaying): string[] {
  if (replaying.mode === "trace") return [];
  const { mode, from, set = {}, live = [], id, by } = replaying;
  const { input, steps = {}, model, prompt } = set;
  const options = {
    mode,
    from,
    id,
    by,
    prompt,
    model: typeof model === "string" ? model : undefined,
    input: input === undefined ? undefined : JSON.stringify(input),
  };
  return [
    ...Object.entries(options).flatMap(([name, said]) => (said === undefined ? [] : [`--${name}=${said}`])),
    ...Object.entries(steps).map(([step, { output }]) => `--output=${step}=${JSON.stringify(output)}`),
    ...live.map((tool) => `--live=${tool}`),
  ];
}

/** The error that a command line told of with --json. */
function errorIn(err: string): Error {
  const line = err.split("\n").find((each) => each.startsWith('{"error":'));
  if (line === undefined) return new Error(`the replay ended without a word: ${err.slice(-2000)}`);
  const { error } = JSON.parse(line) as {
    error: { code?: keyof ErrorDetails; message: string; details?: never };
  };
  return error.code && error.details
    ? new HoldfastError(error.code, error.details)
    : new HoldfastError("INVALID_ARGUMENT", { argument: "--app", why: `fails: ${error.message}` });
}
