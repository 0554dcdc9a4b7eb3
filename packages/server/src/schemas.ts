import { z } from "@hono/zod-openapi";

export const RunStatus = z.enum(["queued", "running", "waiting", "succeeded", "failed", "cancelled", "dead"]);
export const WaitingOn = z.enum(["approval", "input", "doubt", "budget", "timer", "dependency", "caller"]);

const instant = z.string().openapi({ format: "date-time" });
const value = (description: string) => z.unknown().openapi({ description });

export const RunSummary = z
  .object({
    id: z.string(),
    agent: z.string().optional(),
    version: z.string().optional(),
    status: RunStatus,
    waitingOn: WaitingOn.optional().openapi({ description: "While it is waiting" }),
    seq: z.int().openapi({ description: "Of its last entry" }),
    epoch: z.int().openapi({ description: "Raised by every takeover" }),
    tags: z.array(z.string()),
    parent: z.string().optional(),
    forkedFrom: z.string().optional(),
    createdAt: instant,
    finishedAt: instant.optional(),
    prunedAt: instant.optional().openapi({ description: "Its entries were pruned then" }),
    imported: z.boolean().optional().openapi({ description: "It was read from a file" }),
  })
  .openapi("RunSummary");

export const Run = RunSummary.extend({
  input: value("What it was started with"),
  value: value("What it came to, where it succeeded and that is data"),
  error: value("What it failed with"),
  attempts: z.object({ crashes: z.int(), retries: z.int(), resumes: z.int() }),
}).openapi("Run");

export const RunPage = z
  .object({
    runs: z.array(RunSummary),
    cursor: z.string().optional().openapi({ description: "Asks for the next page; absent on the last" }),
  })
  .openapi("RunPage");

export const Entry = z
  .looseObject({ runId: z.string(), seq: z.int(), epoch: z.int(), at: instant, kind: z.string() })
  .openapi("Entry", {
    description: "An entry of a ledger, with the fields of its kind: docs/reference/entries.md",
  });

export const Doubt = z
  .object({
    runId: z.string(),
    step: z.string(),
    name: z.string().openapi({ description: "Of the tool or step" }),
    input: value("What it was called with"),
    key: z.string().openapi({ description: "The idempotency key it went out with" }),
    at: instant.openapi({ description: "When it was about to go out" }),
    why: z.string(),
  })
  .openapi("Doubt");

export const Worker = z
  .object({
    worker: z.int(),
    host: z.string(),
    pid: z.int(),
    version: z.string(),
    startedAt: instant,
    until: instant.openapi({ description: "Its leases are good until then" }),
    alive: z.boolean(),
    leases: z.int().openapi({ description: "Runs that it works on" }),
  })
  .openapi("Worker");
