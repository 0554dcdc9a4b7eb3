import type { Holdfast } from "@holdfast/core";
import { createRoute, z } from "@hono/zod-openapi";
import { body, by, count, json, needs, ofRun, problems, router, runId, text } from "../router.ts";
import { Doubt } from "../schemas.ts";
import type { Shown } from "../shown.ts";

const list = createRoute({
  method: "get",
  path: "/doubts",
  summary: "Calls of which nobody can say from the ledger whether they happened",
  ...needs("read"),
  request: {
    query: z.strictObject({
      runId: runId.optional().openapi({ description: "Of this run only" }),
      limit: count(1, 500).optional().openapi({ description: "Runs looked through, by default 100" }),
    }),
  },
  responses: { 200: json("Open doubts", z.object({ doubts: z.array(Doubt) })), ...problems },
});

const said = { step: text(4096), comment: text(10_000).optional() };

const resolve = createRoute({
  method: "post",
  path: "/runs/{id}/resolve",
  summary: "Say what became of a call in doubt",
  description: "`happened` is recorded as what the call returned; `didNotHappen` lets it go out again.",
  ...needs("approve"),
  request: {
    params: ofRun,
    ...body(
      z
        .union([
          z.strictObject({
            ...said,
            happened: z.unknown().refine((value) => value !== undefined, "is missing"),
          }),
          z.strictObject({ ...said, didNotHappen: z.literal(true) }),
        ])
        .openapi("Resolve"),
    ),
  },
  responses: { 204: { description: "Recorded" }, ...problems },
});

export const doubtRoutes = (hf: Holdfast, shown: Shown) =>
  router()
    .openapi(list, async (c) => {
      const doubts = await hf.doubts.list(c.req.valid("query"));
      return c.json({ doubts: doubts.map(shown.doubt) }, 200);
    })
    .openapi(resolve, async (c) => {
      const { step, comment, ...rest } = c.req.valid("json");
      const resolved = "didNotHappen" in rest ? { didNotHappen: true as const } : { happened: rest.happened };
      await hf.doubts.resolve(c.req.valid("param").id, step, resolved, { ...by(c), comment });
      return c.body(null, 204);
    });
