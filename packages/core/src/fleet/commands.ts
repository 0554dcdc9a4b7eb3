import { checkBy } from "../by.ts";
import { encode } from "../codec.ts";
import { HoldfastError } from "../errors.ts";
import { digestOf } from "../json.ts";
import type { Command } from "../ledger/entry.ts";
import { type CommandName, whyNot } from "../run/commands.ts";
import { type Commanded, writeCommand } from "../store/commands.ts";
import type { Database } from "../store/database.ts";
import { redriveRun } from "../store/dead-letters.ts";
import { type Head, mustGetHead } from "../store/runs.ts";
import type { Shared } from "./host.ts";

/** How often a command is tried against a ledger that others write to. */
const TRIES = 20;

export interface By {
  /** Who says so. Recorded. */
  readonly by: string;
}

/** Tells a run to stop for good, to stop for now, or to go on. Throws RUN_NOT_FOUND, COMMAND_NOT_ALLOWED. */
export async function command(
  fleet: Shared,
  runId: string,
  name: "cancel" | "pause" | "resume",
  { by }: By,
): Promise<void> {
  checkBy(by);
  const fact: Command = { kind: "command", command: name, by };
  await tell(fleet, runId, name, fact, (db, head) => {
    // Saying it twice is saying it: the answer to the first time may have been lost.
    if (head.command === name) return Promise.resolve(true);
    return writeCommand(db, head, head, meaning(name, fact, head));
  });
}

/** Sends a run a message, which it finds when it next asks for its messages. Throws RUN_NOT_FOUND, COMMAND_NOT_ALLOWED. */
export async function send(fleet: Shared, runId: string, message: unknown, { by }: By): Promise<void> {
  checkBy(by);
  const value = encode(fleet.host.settings.redactor.apply("input", message));
  const fact: Command = { kind: "command", command: "send", by, value };
  await tell(fleet, runId, "send", fact, (db, head) => {
    const wakes = head.status === "waiting" && head.waitingOn === "input";
    return writeCommand(db, head, head, { fact, command: head.command, wakes });
  });
}

/** Queues a run anew that failed or is dead. Throws RUN_NOT_FOUND, COMMAND_NOT_ALLOWED, INVALID_ARGUMENT. */
export async function redrive(
  fleet: Shared,
  runId: string,
  { by, ...changed }: By & { readonly input?: unknown },
): Promise<void> {
  checkBy(by);
  await tell(fleet, runId, "redrive", undefined, async (db, head) => {
    if (!("input" in changed)) {
      return await redriveRun(db, head, { kind: "command", command: "redrive", by }, head.inputDigest);
    }
    const agent = fleet.agents.get(head.agent ?? "")?.agent;
    const input = agent ? await agent.check(changed.input) : changed.input;
    const kept = fleet.host.settings.redactor.apply("input", input);
    const fact: Command = { kind: "command", command: "redrive", by, value: encode(kept) };
    return await redriveRun(db, head, fact, digestOf(kept));
  });
}

async function tell(
  fleet: Shared,
  runId: string,
  name: CommandName,
  fact: Command | undefined,
  write: (db: Database, head: Head) => Promise<boolean>,
): Promise<void> {
  const db = await fleet.host.db();
  for (let tries = 0; tries < TRIES; tries++) {
    const head = await mustGetHead(db, runId);
    if (name === "cancel" && head.status === "cancelled") return;
    const why = whyNot(name, head);
    if (why !== undefined) throw new HoldfastError("COMMAND_NOT_ALLOWED", { runId, command: name, why });
    if (!(await write(db, head))) continue;
    fleet.notifier(db).tell(head.status === "running" && fact ? "commanded" : "queued");
    fleet.host.look();
    return;
  }
  const why = `its ledger moved on ${TRIES} times meanwhile; try again`;
  throw new HoldfastError("COMMAND_NOT_ALLOWED", { runId, command: name, why });
}

/** What a command makes of the run as it stands. Who works on it is told; who does not, is stopped here. */
function meaning(name: "cancel" | "pause" | "resume", fact: Command, { status, waitingOn }: Head): Commanded {
  switch (name) {
    case "cancel":
      return { fact, command: "cancel", wakes: false, ends: status === "running" ? undefined : "cancelled" };
    case "pause":
      return { fact, command: "pause", wakes: false };
    case "resume":
      return { fact, command: null, wakes: status === "waiting" && waitingOn === "caller" };
  }
}
