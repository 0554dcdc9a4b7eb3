import type { Holdfast } from "@holdfast/core";
import { createRoute, z } from "@hono/zod-openapi";
import { refusalOf } from "../problem.ts";
import { body, by, count, json, needs, ofRun, problems, router, runId, text } from "../router.ts";
import { DeadLetter, DeadLetterWithEntries } from "../schemas.ts";
import type { Shown } from "../shown.ts";

const told = { 204: { description: "Recorded; who works on it hears of it at once" }, ...problems };

const cancel = createRoute({
  method: "post",
  path: "/runs/{id}/cancel",
  summary: "Stop a run for good",
  description: "Calls under way are aborted; effects that may have happened are in doubt.",
  ...needs("operate"),
  request: { params: ofRun },
  responses: told,
});

const pause = createRoute({
  method: "post",
  path: "/runs/{id}/pause",
  summary: "Stop a run until it is resumed",
  description: "Calls under way may settle, then it parks.",
  ...needs("operate"),
  request: { params: ofRun },
  responses: told,
});

const resume = createRoute({
  method: "post",
  path: "/runs/{id}/resume",
  summary: "Let a paused run go on",
  ...needs("operate"),
  request: { params: ofRun },
  responses: told,
});

const send = createRoute({
  method: "post",
  path: "/runs/{id}/send",
  summary: "Send a run a message, which it finds when it next asks for its messages",
  ...needs("operate"),
  request: {
    params: ofRun,
    ...body(
      z
        .strictObject({ message: z.unknown().refine((value) => value !== undefined, "is missing") })
        .openapi("Send"),
    ),
  },
  responses: { 204: { description: "Sent" }, ...problems },
});

const fork = createRoute({
  method: "post",
  path: "/runs/{id}/fork",
  summary: "A new run that begins with the first entries of another",
  description:
    "What they say has happened is not done again, apart from what `set` changes. A run of the fleet is queued; an inline one goes on when hf.run is called with the fork's id.",
  ...needs("operate"),
  request: {
    params: ofRun,
    ...body(
      z
        .strictObject({
          at: z
            .int()
            .min(1)
            .max(2 ** 31 - 1)
            .optional()
            .openapi({ description: "The last entry that both share; by default the last there is" }),
          id: runId.optional().openapi({ description: "Of the new run; by default made up" }),
          set: z
            .strictObject({
              input: z.unknown().optional(),
              steps: z.record(z.string(), z.strictObject({ output: z.unknown() })).optional(),
            })
            .optional()
            .openapi({ description: "What is to have been otherwise" }),
        })
        .openapi("Fork"),
    ),
  },
  responses: { 201: json("The new run", z.object({ id: z.string() })), ...problems },
});

const redrive = createRoute({
  method: "post",
  path: "/runs/{id}/redrive",
  summary: "Queue a run anew that failed or is dead",
  description:
    "Its ledger is kept: what it has done is not done again. With `input` it goes on with that instead.",
  ...needs("operate"),
  request: { params: ofRun, ...body(z.strictObject({ input: z.unknown().optional() }).openapi("Redrive")) },
  responses: { 204: { description: "Queued" }, ...problems },
});

/** So many in one request: each is a statement of its own. */
const MOST_REDRIVEN = 100;

const redriveMany = createRoute({
  method: "post",
  path: "/redrive",
  summary: "Queue several runs anew that failed or are dead",
  description: "One after another; the answer says which could not be, and why.",
  ...needs("operate"),
  request: body(z.strictObject({ ids: z.array(runId).min(1).max(MOST_REDRIVEN) }).openapi("RedriveMany")),
  responses: {
    200: json(
      "What became of each",
      z.object({
        redriven: z.array(z.string()),
        refused: z.array(z.object({ id: z.string(), code: z.string(), detail: z.string() })),
      }),
    ),
    ...problems,
  },
});

const deadLetters = createRoute({
  method: "get",
  path: "/dead-letters",
  summary: "Runs of the fleet that ended badly and that nobody has redriven, the newest first",
  ...needs("read"),
  request: {
    query: z.strictObject({
      agent: text(200).optional(),
      limit: count(1, 500).optional().openapi({ description: "1 to 500, by default 50" }),
    }),
  },
  responses: { 200: json("Dead letters", z.object({ deadLetters: z.array(DeadLetter) })), ...problems },
});

const deadLetter = createRoute({
  method: "get",
  path: "/dead-letters/{id}",
  summary: "One of them, with its last entries",
  ...needs("read"),
  request: { params: ofRun },
  responses: { 200: json("The dead letter", DeadLetterWithEntries), ...problems },
});

export const commandRoutes = (hf: Holdfast, shown: Shown) =>
  router()
    .openapi(cancel, async (c) => {
      await hf.cancel(c.req.valid("param").id, by(c));
      return c.body(null, 204);
    })
    .openapi(pause, async (c) => {
      await hf.pause(c.req.valid("param").id, by(c));
      return c.body(null, 204);
    })
    .openapi(resume, async (c) => {
      await hf.resume(c.req.valid("param").id, by(c));
      return c.body(null, 204);
    })
    .openapi(send, async (c) => {
      await hf.send(c.req.valid("param").id, c.req.valid("json").message, by(c));
      return c.body(null, 204);
    })
    .openapi(fork, async (c) => {
      const forked = await hf.fork(c.req.valid("param").id, { ...c.req.valid("json"), ...by(c) });
      return c.json({ id: forked.id }, 201);
    })
    .openapi(redrive, async (c) => {
      await hf.redrive(c.req.valid("param").id, { ...c.req.valid("json"), ...by(c) });
      return c.body(null, 204);
    })
    .openapi(redriveMany, async (c) => {
      const redriven: string[] = [];
      const refused: { id: string; code: string; detail: string }[] = [];
      for (const id of c.req.valid("json").ids) {
        const why = await refusalOf(hf.redrive(id, by(c)));
        if (why) refused.push({ id, ...why });
        else redriven.push(id);
      }
      return c.json({ redriven, refused }, 200);
    })
    .openapi(deadLetters, async (c) => {
      const letters = await hf.deadLetters.list(c.req.valid("query"));
      return c.json({ deadLetters: letters.map(shown.deadLetter) }, 200);
    })
    .openapi(deadLetter, async (c) => {
      const { entries, ...letter } = await hf.deadLetters.get(c.req.valid("param").id);
      return c.json({ ...shown.deadLetter(letter), entries: entries.map(shown.entry) }, 200);
    });
