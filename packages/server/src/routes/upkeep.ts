import type { Holdfast } from "@holdfast/core";
import { createRoute, z } from "@hono/zod-openapi";
import { body, json, needs, problems, router, text } from "../router.ts";
import { Worker } from "../schemas.ts";
import { listWorkers } from "../store/workers.ts";

const prune = createRoute({
  method: "post",
  path: "/prune",
  summary: "Forget runs that ended so long ago",
  description: "Their entries and blobs go, their heads stay. The log says who did it.",
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

export const upkeepRoutes = (hf: Holdfast) =>
  router()
    .openapi(prune, async (c) => {
      const { olderThan, status } = c.req.valid("json");
      return c.json({ pruned: await hf.prune(status ? { olderThan, status } : { olderThan }) }, 200);
    })
    .openapi(workers, async (c) => c.json({ workers: await listWorkers((await hf.opened()).db) }, 200));
