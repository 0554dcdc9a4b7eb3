import { HoldfastError } from "@holdfast/core";
import { CommanderError } from "commander";
import { Exited, exitCode, exitCodeOf } from "./exit.ts";
import { program } from "./program.ts";
import { paintOn, type Terminal } from "./terminal.ts";

/** Carries out one command line. Gives back what the process is to end with. */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  try {
    await program(terminal).parseAsync(args, { from: "user" });
    return exitCode("done");
  } catch (error) {
    if (error instanceof Exited) return exitCode(error.exit);
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCode("usage");
    return tell(error, args.includes("--json"), terminal);
  }
}

function tell(error: unknown, asJson: boolean, terminal: Terminal): number {
  const paint = paintOn(terminal);
  const message = error instanceof Error ? error.message : String(error);
  if (!HoldfastError.is(error)) {
    terminal.err(
      asJson ? `${JSON.stringify({ error: { message } })}\n` : `${paint("red", "Failed:")} ${message}\n`,
    );
    return exitCode("failed");
  }
  const { code, details } = error;
  terminal.err(
    asJson ? `${JSON.stringify({ error: { code, message, details } })}\n` : `${paint("red", message)}\n`,
  );
  return exitCodeOf(code);
}
