import type { Holdfast } from "@holdfast/core";
import { createRoute, z } from "@hono/zod-openapi";
import { body, by, json, needs, problems, router, text } from "../router.ts";
import { Agent } from "../schemas.ts";
import { startByName } from "../start.ts";
import { listAgents } from "../store/agents.ts";

const start = createRoute({
  method: "post",
  path: "/runs",
  summary: "Queue a run of an agent",
  description: "With a key it is started once: the same key again, with the same input, is the same run.",
  ...needs("operate"),
  request: body(
    z
      .strictObject({
        agent: text(200),
        input: z.unknown().optional(),
        key: text(512).optional(),
        runAt: z.iso.datetime({ offset: true }).optional().openapi({ description: "Not before this" }),
        priority: z.int().min(-1_000_000).max(1_000_000).optional(),
        tags: z.array(text(512)).max(100).optional(),
        maxAttempts: z
          .int()
          .min(1)
          .max(2 ** 31 - 1)
          .optional()
          .openapi({ description: "Crashes in a row before it is dead" }),
      })
      .openapi("Start"),
  ),
  responses: { 201: json("It is queued, or was before", z.object({ id: z.string() })), ...problems },
});

const agents = createRoute({
  method: "get",
  path: "/agents",
  summary: "Agents that living workers have, or that have runs which have not ended",
  ...needs("read"),
  request: { query: z.strictObject({}) },
  responses: { 200: json("Agents", z.object({ agents: z.array(Agent) })), ...problems },
});

export const fleetRoutes = (hf: Holdfast) =>
  router()
    .openapi(start, async (c) => {
      const { agent, input, runAt, ...options } = c.req.valid("json");
      const at = runAt === undefined ? undefined : new Date(runAt);
      const id = await startByName(hf, agent, input, { ...options, runAt: at, ...by(c) });
      return c.json({ id }, 201);
    })
    .openapi(agents, async (c) => c.json({ agents: await listAgents((await hf.opened()).db) }, 200));
