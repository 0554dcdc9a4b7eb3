import type { Holdfast } from "@holdfast/core";
import { createRoute, z } from "@hono/zod-openapi";
import { json, needs, ofRun, problems, router, runId } from "../router.ts";
import { RunDiff } from "../schemas.ts";
import type { Shown } from "../shown.ts";

const diff = createRoute({
  method: "get",
  path: "/diff",
  summary: "What one run did against what another did, step by step",
  ...needs("read"),
  request: { query: z.strictObject({ a: runId, b: runId }) },
  responses: { 200: json("The difference", RunDiff), ...problems },
});

const exported = createRoute({
  method: "get",
  path: "/runs/{id}/export",
  summary: "A run as one file: JSON Lines, with the prompts that its entries name",
  ...needs("read"),
  request: { params: ofRun },
  responses: {
    200: { description: "The file", content: { "application/octet-stream": { schema: z.string() } } },
    ...problems,
  },
});

export const comparingRoutes = (hf: Holdfast, shown: Shown, redact: readonly string[]) =>
  router()
    .openapi(diff, async (c) => {
      const { a, b } = c.req.valid("query");
      return c.json(shown.diff(await hf.diff(a, b)), 200);
    })
    .openapi(exported, async (c) => {
      const text = await hf.exportRun(c.req.valid("param").id, { redact });
      return c.newResponse(text, 200, {
        "content-type": "application/octet-stream",
        "content-disposition": 'attachment; filename="run.jsonl"',
      });
    });
