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

const spent = {
  cap: z.number().optional().openapi({ description: "Absent where it is not limited" }),
  spent: z.number(),
  held: z.number().openapi({ description: "For calls that are under way" }),
  left: z.number().optional(),
};

const RunBudget = z
  .object({
    ...spent,
    estimated: z.number().openapi({ description: "So much of what is spent: nobody said what it cost" }),
    tokens: z.object(spent),
    calls: z.object(spent),
    models: z.record(
      z.string(),
      z.object({
        calls: z.int(),
        inputTokens: z.int(),
        cachedInputTokens: z.int(),
        outputTokens: z.int(),
        reasoningTokens: z.int(),
        cost: z.number(),
      }),
    ),
  })
  .openapi("RunBudget", { description: "Money is in micro-dollars" });

export const Run = RunSummary.extend({
  input: value("What it was started with"),
  value: value("What it came to, where it succeeded and that is data"),
  error: value("What it failed with"),
  attempts: z.object({ crashes: z.int(), retries: z.int(), resumes: z.int() }),
  budget: RunBudget,
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

export const Question = z
  .object({
    id: z.string(),
    runId: z.string(),
    step: z.string(),
    asks: z
      .enum(["approval", "input"])
      .openapi({ description: "May this call go out, or what is the answer?" }),
    name: z.string().openapi({ description: "The tool that is to be called; `ask` for an input" }),
    question: z.string(),
    input: value("What the tool is to be called with"),
    schema: value("JSON Schema of what may be answered, where there is one"),
    decision: z
      .object({
        then: z.enum(["allow", "deny", "ask"]),
        rule: z.string(),
        policy: z.string(),
        reason: z.string().optional(),
        own: z.literal(true).optional(),
        shadow: z.literal(true).optional(),
      })
      .optional()
      .openapi({ description: "The rule that asks, under which policy" }),
    need: z.int().openapi({ description: "So many have to approve" }),
    of: z.array(z.string()).optional().openapi({ description: "Of these people; absent: anybody" }),
    approved: z.array(z.string()).openapi({ description: "Who has approved so far" }),
    askedAt: instant,
    expiresAt: instant.optional(),
  })
  .openapi("Question");

const Difference = z.object({
  path: z.string(),
  lines: z.array(z.string()).openapi({ description: "They begin with -, + or a space" }),
});
const Usage = z.record(z.string(), z.int().optional());

const RunTotals = z.object({
  runId: z.string(),
  status: z.string(),
  calls: z.int(),
  inputTokens: z.int(),
  outputTokens: z.int(),
  cost: z.number().openapi({ description: "In micro-dollars" }),
  ms: z.number(),
});

export const RunDiff = z
  .object({
    same: z.boolean(),
    a: RunTotals,
    b: RunTotals,
    input: z.array(Difference),
    steps: z.array(
      z.object({
        at: z.enum(["same", "changed", "drifted", "only a", "only b"]),
        lane: z.string(),
        call: z.enum(["model", "tool", "step"]).optional(),
        name: z.string(),
        a: z.string().optional().openapi({ description: "The step's key in the one" }),
        b: z.string().optional().openapi({ description: "The step's key in the other" }),
        asked: z.array(Difference),
        outcome: z.array(Difference),
        usage: z.object({ a: Usage.optional(), b: Usage.optional() }),
        cost: z
          .object({ a: z.number().optional(), b: z.number().optional() })
          .openapi({ description: "In micro-dollars" }),
        ms: z.object({ a: z.number().optional(), b: z.number().optional() }),
      }),
    ),
    end: z.array(Difference),
  })
  .openapi("RunDiff");

export const Trace = z
  .object({
    mode: z.literal("trace"),
    runId: z.string(),
    follows: z.boolean().openapi({ description: "The code does what is on record, and nothing else" }),
    departures: z
      .array(
        z.object({
          at: z.enum(["drift", "diverged", "missed", "end"]),
          step: z.string().optional(),
          lane: z.string(),
          turn: z.int().optional().openapi({ description: "Of a model call: which one in its lane" }),
          why: z.string(),
          differences: z.array(Difference),
        }),
      )
      .openapi({ description: "Where it does not, in order" }),
    calls: z.int().openapi({ description: "Answered from the record" }),
    ended: z.enum(["settled", "record", "stopped"]),
    value: value("What the code came to"),
    error: value("What it threw"),
  })
  .openapi("Trace");

export const Replayed = z
  .object({
    mode: z.enum(["mock-tools", "counterfactual"]),
    id: z.string().openapi({ description: "Of the replay's own run" }),
    value: value("What the code came to"),
    error: value("What it threw"),
    diff: RunDiff.openapi({ description: "What the replay did against what the run did" }),
  })
  .openapi("Replayed");

export const Agent = z
  .object({
    name: z.string(),
    versions: z
      .array(z.object({ version: z.string().nullable(), workers: z.int() }))
      .openapi({ description: "That living workers have" }),
    queued: z.int(),
    running: z.int(),
    waiting: z.int(),
  })
  .openapi("Agent");

export const DeadLetter = z
  .object({
    id: z.string(),
    agent: z.string(),
    status: z.enum(["dead", "failed"]).openapi({ description: "It killed its workers, or its work threw" }),
    at: instant,
    error: value("What it failed with, or why it is dead"),
  })
  .openapi("DeadLetter");

export const DeadLetterWithEntries = DeadLetter.extend({ entries: z.array(Entry) }).openapi(
  "DeadLetterWithEntries",
);

const Counted = z.object({
  cap: z.number().nullable().openapi({ description: "Null: not limited" }),
  spent: z.number(),
  held: z.number(),
});

export const BudgetWindow = z
  .object({
    scope: z.string().openapi({ example: "tag:tenant:acme" }),
    per: z.string(),
    starts: instant,
    until: instant,
    open: z.boolean(),
    micros: Counted,
    tokens: Counted,
    calls: Counted,
  })
  .openapi("BudgetWindow", {
    description: "A window of a budget that runs share. Money is in micro-dollars",
  });

export const Schedule = z
  .object({
    name: z.string(),
    cron: z.string(),
    timezone: z.string(),
    agent: z.string(),
    version: z.string().nullable(),
    missed: z.enum(["skip", "one", "all"]),
    nextAt: instant.nullable(),
  })
  .openapi("Schedule");

export const Flow = z
  .object({
    id: z.string(),
    name: z.string(),
    by: z.string().nullable().openapi({ description: "Who started it" }),
    createdAt: instant,
    run: z.string().openapi({ description: "One of its runs: the first that was started" }),
    runs: z.partialRecord(RunStatus, z.int()).openapi({ description: "How many there are of each status" }),
  })
  .openapi("FlowSummary");

export const Minute = z
  .object({
    at: instant,
    succeeded: z.int(),
    failed: z.int(),
    cancelled: z.int(),
    dead: z.int(),
  })
  .openapi("Minute", { description: "Runs that ended in that minute" });

export const Deed = z
  .object({
    at: instant,
    by: z.string(),
    did: z.enum(["prune", "delete", "schedule", "unschedule"]),
    about: z.record(z.string(), z.unknown()).openapi({ description: "To which run or schedule, and how" }),
  })
  .openapi("Deed");

export const FlowGraph = z
  .object({
    nodes: z.array(
      z.object({
        id: z.string(),
        agent: z.string().nullable(),
        status: RunStatus,
        waitingOn: WaitingOn.nullable(),
        name: z.string().nullable().openapi({ description: "In its flow, where it is of one" }),
      }),
    ),
    edges: z.array(
      z.object({
        from: z.string(),
        to: z.string().openapi({ description: "Comes after `from`" }),
        name: z.string().openapi({ description: "Under which it finds what `from` returned" }),
        onFailure: z.enum(["skip", "fail", "tell"]),
        ended: z.boolean(),
      }),
    ),
  })
  .openapi("FlowGraph");
