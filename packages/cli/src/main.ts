#!/usr/bin/env node
import { run } from "./run.ts";
import { ownTerminal } from "./terminal.ts";

const stop = new AbortController();
// Once asks it to end in order; twice ends it.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => stop.abort());
// `holdfast runs | head`: who has read enough is no fault.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

process.exitCode = await run(process.argv.slice(2), ownTerminal(stop.signal));
