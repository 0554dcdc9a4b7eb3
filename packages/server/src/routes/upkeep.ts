import type { Holdfast } from "@holdfast/core";
import { createRoute, z } from "@hono/zod-openapi";
import { body, by, count, json, needs, place, problems, router, text } from "../router.ts";
import { Deed, Minute, Worker } from "../schemas.ts";
import { listDeeds } from "../store/audit.ts";
import { getThroughput } from "../store/throughput.ts";
import { listWorkers } from "../store/workers.ts";

const prune = createRoute({
  method: "post",
  path: "/prune",
  summary: "Forget runs that ended so long ago",
  description: "Their entries and blobs go, their heads stay. The audit says who did it.",
  ...needs("operate"),
  request: body(
    z
      .strictObject({
        olderThan: text(32).openapi({ example: "30d" }),
        status: z
          .array(z.enum(["succeeded", "failed", "cancelled", "dead"]))
          .min(1)
          .optional(),
      })
      .openapi("Prune"),
  ),
  responses: { 200: json("How many", z.object({ pruned: z.int() })), ...problems },
});

const workers = createRoute({
  method: "get",
  path: "/workers",
  summary: "Workers: those that are alive, and those that left runs behind",
  ...needs("read"),
  request: { query: z.strictObject({}) },
  responses: { 200: json("Workers", z.object({ workers: z.array(Worker) })), ...problems },
});

const throughput = createRoute({
  method: "get",
  path: "/throughput",
  summary: "Runs that ended in each of the last sixty minutes, by how",
  ...needs("read"),
  request: { query: z.strictObject({}) },
  responses: {
    200: json("The minutes, the current one last", z.object({ minutes: z.array(Minute) })),
    ...problems,
  },
});

const audit = createRoute({
  method: "get",
  path: "/audit",
  summary: "Who did what, as far as no run's ledger says it: prunes, deletions, schedules; the newest first",
  ...needs("read"),
  request: {
    query: z.strictObject({
      limit: count(1, 500).optional().openapi({ description: "1 to 500, by default 50" }),
      cursor: place,
    }),
  },
  responses: {
    200: json("A page", z.object({ deeds: z.array(Deed), cursor: z.string().optional() })),
    ...problems,
  },
});

export const upkeepRoutes = (hf: Holdfast) =>
  router()
    .openapi(prune, async (c) => {
      const { olderThan, status } = c.req.valid("json");
      const which = { olderThan, ...(status ? { status } : {}), ...by(c) };
      return c.json({ pruned: await hf.prune(which) }, 200);
    })
    .openapi(throughput, async (c) => {
      const minutes = await getThroughput((await hf.opened()).db);
      return c.json({ minutes: minutes.map(dated) }, 200);
    })
    .openapi(audit, async (c) => {
      const { deeds, cursor } = await listDeeds((await hf.opened()).db, c.req.valid("query"));
      return c.json({ deeds: deeds.map(dated), cursor }, 200);
    })
    .openapi(workers, async (c) => c.json({ workers: await listWorkers((await hf.opened()).db) }, 200));

const dated = <T extends { readonly at: Date }>(what: T) => ({ ...what, at: what.at.toISOString() });
