import { Command } from "commander";
import { addAudit } from "./commands/audit.ts";
import { addBudgets } from "./commands/budgets.ts";
import { addComparing } from "./commands/comparing.ts";
import { addCompletion } from "./commands/completion.ts";
import { addDemo } from "./commands/demo.ts";
import { addDev } from "./commands/dev.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addDoubts } from "./commands/doubts.ts";
import { addFleet } from "./commands/fleet.ts";
import { addFlows } from "./commands/flows.ts";
import { addForking } from "./commands/forking.ts";
import { addKeys } from "./commands/keys.ts";
import { addMigrate } from "./commands/migrate.ts";
import { addPrune } from "./commands/prune.ts";
import { addQuestions } from "./commands/questions.ts";
import { addReplaying } from "./commands/replaying.ts";
import { addRuns } from "./commands/runs.ts";
import { addSchedules } from "./commands/schedules.ts";
import { addServe } from "./commands/serve.ts";
import { addShow } from "./commands/show.ts";
import { addSteering } from "./commands/steering.ts";
import { addTail } from "./commands/tail.ts";
import { addWhy } from "./commands/why.ts";
import { addWorkers } from "./commands/workers.ts";
import type { Terminal } from "./terminal.ts";
import { version } from "./version.ts";

/** The command line. Each command stands in a file of its own. */
export function program(terminal: Terminal): Command {
  const holdfast = new Command("holdfast")
    .description("Look at durable agents, and steer them.")
    .version(version)
    .option(
      "-d, --database <where>",
      'postgres://…, "embedded", or a folder for the embedded server; by default DATABASE_URL, else ./.holdfast',
    )
    .option("--json", "JSON instead of text; errors too")
    .exitOverride()
    .configureOutput({ writeOut: terminal.out, writeErr: terminal.err })
    .showHelpAfterError("(--help says more)");
  for (const add of ADDED) add(holdfast, terminal);
  return holdfast;
}

const ADDED: readonly ((holdfast: Command, terminal: Terminal) => void)[] = [
  addRuns,
  addShow,
  addTail,
  addWhy,
  addQuestions,
  addDoubts,
  addSteering,
  addForking,
  addReplaying,
  addComparing,
  addBudgets,
  addFleet,
  addFlows,
  addSchedules,
  addWorkers,
  addPrune,
  addAudit,
  addMigrate,
  addDoctor,
  addKeys,
  addServe,
  addDev,
  addDemo,
  addCompletion,
];
