import type { Holdfast } from "@holdfast/core";
import { createRoute, z } from "@hono/zod-openapi";
import { by, count, json, needs, ofRun, problems, router, text } from "../router.ts";
import { Entry, Run, RunPage, RunStatus, WaitingOn } from "../schemas.ts";
import type { Shown } from "../shown.ts";
import { whyOf } from "../why.ts";

const list = createRoute({
  method: "get",
  path: "/",
  summary: "Runs, the newest first",
  ...needs("read"),
  request: {
    query: z.strictObject({
      status: RunStatus.optional(),
      waitingOn: WaitingOn.optional(),
      agent: text(512).optional(),
      tag: text(512).optional(),
      limit: count(1, 500).optional().openapi({ description: "1 to 500, by default 50" }),
      cursor: text(512).optional().openapi({ description: "Where the page before ended" }),
    }),
  },
  responses: { 200: json("A page", RunPage), ...problems },
});

const get = createRoute({
  method: "get",
  path: "/{id}",
  summary: "A run, with what its entries tell",
  ...needs("read"),
  request: { params: ofRun },
  responses: { 200: json("The run", Run), ...problems },
});

const remove = createRoute({
  method: "delete",
  path: "/{id}",
  summary: "Forget a run that has ended",
  description:
    "Its entries and blobs go, and its head unless it was started with a key. The audit says who did it.",
  ...needs("operate"),
  request: { params: ofRun },
  responses: { 204: { description: "Forgotten" }, ...problems },
});

const entries = createRoute({
  method: "get",
  path: "/{id}/entries",
  summary: "The entries of a run, in order",
  ...needs("read"),
  request: {
    params: ofRun,
    query: z.strictObject({
      after: count(0, 2 ** 31 - 1)
        .optional()
        .openapi({ description: "Only entries behind this seq" }),
      limit: count(1, 1000).optional().openapi({ description: "1 to 1000, by default 500" }),
    }),
  },
  responses: {
    200: json(
      "Entries; `next` is what `after` is to be for more of them, and absent where there are none yet",
      z.object({ entries: z.array(Entry), next: z.int().optional() }),
    ),
    ...problems,
  },
});

const request = createRoute({
  method: "get",
  path: "/{id}/request",
  summary: "What a recorded model call asked, as it was sent",
  ...needs("read"),
  request: {
    params: ofRun,
    query: z.strictObject({ step: text(4096).openapi({ description: "The step of its observation" }) }),
  },
  responses: { 200: json("The request", z.object({ request: z.unknown() })), ...problems },
});

const why = createRoute({
  method: "get",
  path: "/{id}/why",
  summary: "Why a run does not move, in a sentence, and what to do",
  ...needs("read"),
  request: { params: ofRun },
  responses: { 200: json("Why", z.object({ why: z.string(), todo: z.string().optional() })), ...problems },
});

const ENTRIES = 500;

export const runRoutes = (hf: Holdfast, shown: Shown) =>
  router()
    .openapi(list, async (c) => {
      const page = await hf.runs.list(c.req.valid("query"));
      return c.json({ runs: page.map(shown.summary), cursor: page.cursor }, 200);
    })
    .openapi(get, async (c) => c.json(shown.run(await hf.runs.get(c.req.valid("param").id)), 200))
    .openapi(remove, async (c) => {
      await hf.runs.delete(c.req.valid("param").id, by(c));
      return c.body(null, 204);
    })
    .openapi(entries, async (c) => {
      const { after = 0, limit = ENTRIES } = c.req.valid("query");
      const found = await hf.entries(c.req.valid("param").id, { after, limit });
      const next = found.length < limit ? undefined : found.at(-1)?.seq;
      return c.json({ entries: found.map(shown.entry), next }, 200);
    })
    .openapi(why, async (c) => c.json(await whyOf(hf, c.req.valid("param").id), 200))
    .openapi(request, async (c) => {
      const asked = await hf.request(c.req.valid("param").id, c.req.valid("query").step);
      return c.json({ request: shown.value("request", asked) }, 200);
    });
