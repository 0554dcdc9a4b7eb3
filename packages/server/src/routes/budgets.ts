import type { Holdfast } from "@holdfast/core";
import { createRoute, z } from "@hono/zod-openapi";
import { body, by, count, json, needs, ofRun, problems, router, text } from "../router.ts";
import { BudgetWindow } from "../schemas.ts";
import { listBudgets } from "../store/budgets.ts";

const list = createRoute({
  method: "get",
  path: "/budgets",
  summary: "Windows of the budgets that runs share, the newest first",
  ...needs("read"),
  request: {
    query: z.strictObject({
      scope: text(600).optional().openapi({ description: "tag:tenant:acme, agent:support" }),
      limit: count(1, 1000).optional().openapi({ description: "1 to 1000, by default 100" }),
    }),
  },
  responses: { 200: json("Windows", z.object({ budgets: z.array(BudgetWindow) })), ...problems },
});

const amount = z.int().min(0);

const raise = createRoute({
  method: "post",
  path: "/runs/{id}/budget",
  summary: "Let a run spend more",
  description: "`to` is its new cap, not what is added: micro-dollars, or several limits at once.",
  ...needs("approve"),
  request: {
    params: ofRun,
    ...body(
      z
        .strictObject({
          to: z.union([
            amount,
            z.strictObject({
              micros: amount.optional(),
              tokens: amount.optional(),
              calls: amount.optional(),
            }),
          ]),
        })
        .openapi("RaiseBudget"),
    ),
  },
  responses: { 204: { description: "Recorded" }, ...problems },
});

export const budgetRoutes = (hf: Holdfast) =>
  router()
    .openapi(list, async (c) => {
      const windows = await listBudgets((await hf.opened()).db, c.req.valid("query"));
      const budgets = windows.map((window) => ({
        ...window,
        starts: window.starts.toISOString(),
        until: window.until.toISOString(),
      }));
      return c.json({ budgets }, 200);
    })
    .openapi(raise, async (c) => {
      await hf.raiseBudget(c.req.valid("param").id, { ...c.req.valid("json"), ...by(c) });
      return c.body(null, 204);
    });
