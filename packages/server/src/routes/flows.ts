import { type Holdfast, HoldfastError } from "@holdfast/core";
import { createRoute, z } from "@hono/zod-openapi";
import { body, by, count, json, needs, ofRun, place, problems, router, text } from "../router.ts";
import { Flow, FlowGraph, Schedule } from "../schemas.ts";
import { agentNamed } from "../start.ts";
import { getGraph, listFlows } from "../store/flows.ts";
import { listSchedules } from "../store/schedules.ts";

const name = text(200);
const priority = z.int().min(-1_000_000).max(1_000_000).optional();

const start = createRoute({
  method: "post",
  path: "/flows",
  summary: "Start several runs, all or none, of which some come after others",
  ...needs("operate"),
  request: body(
    z
      .strictObject({
        name,
        key: text(512).optional().openapi({ description: "The same key again is the same flow" }),
        tags: z.array(text(512)).max(100).optional(),
        priority,
        nodes: z
          .array(
            z.strictObject({
              name,
              agent: name,
              input: z.unknown().optional(),
              after: z
                .array(
                  z.union([name, z.strictObject({ name, onFailure: z.enum(["fail", "skip"]).optional() })]),
                )
                .max(100)
                .optional(),
              priority,
            }),
          )
          .min(1)
          .max(200),
      })
      .openapi("Flow"),
  ),
  responses: {
    201: json(
      "They are queued, or were before",
      z.object({ id: z.string(), runs: z.record(z.string(), z.string()) }),
    ),
    ...problems,
  },
});

const list = createRoute({
  method: "get",
  path: "/flows",
  summary: "Flows, the newest first",
  ...needs("read"),
  request: {
    query: z.strictObject({
      name: name.optional(),
      limit: count(1, 500).optional().openapi({ description: "1 to 500, by default 50" }),
      cursor: place,
    }),
  },
  responses: {
    200: json(
      "A page",
      z.object({
        flows: z.array(Flow),
        cursor: z.string().optional().openapi({ description: "Asks for the next page; absent on the last" }),
      }),
    ),
    ...problems,
  },
});

const graph = createRoute({
  method: "get",
  path: "/runs/{id}/flow",
  summary: "The runs that a run comes after, and that come after it, and so on",
  ...needs("read"),
  request: { params: ofRun },
  responses: { 200: json("The graph, of at most 500 runs", FlowGraph), ...problems },
});

const schedules = createRoute({
  method: "get",
  path: "/schedules",
  summary: "Schedules by name, each with its next time",
  ...needs("read"),
  request: { query: z.strictObject({}) },
  responses: { 200: json("Schedules", z.object({ schedules: z.array(Schedule) })), ...problems },
});

const ofSchedule = z.strictObject({ name: name.openapi({ param: { name: "name", in: "path" } }) });

const put = createRoute({
  method: "put",
  path: "/schedules/{name}",
  summary: "Start a run of an agent whenever its time comes",
  description: "The same name again changes it.",
  ...needs("operate"),
  request: {
    params: ofSchedule,
    ...body(
      z
        .strictObject({
          cron: text(200).openapi({ example: "0 3 * * *" }),
          timezone: text(64).optional().openapi({ description: "An IANA time zone; by default UTC" }),
          agent: name,
          input: z.unknown().optional(),
          missed: z.enum(["skip", "one", "all"]).optional(),
        })
        .openapi("PutSchedule"),
    ),
  },
  responses: { 204: { description: "It is kept" }, ...problems },
});

const remove = createRoute({
  method: "delete",
  path: "/schedules/{name}",
  summary: "End a schedule; runs that it has started go on",
  ...needs("operate"),
  request: { params: ofSchedule },
  responses: { 204: { description: "It is ended" }, ...problems },
});

export const flowRoutes = (hf: Holdfast) =>
  router()
    .openapi(start, async (c) => {
      const { name, nodes, ...options } = c.req.valid("json");
      const named = [];
      for (const node of nodes) named.push({ ...node, agent: await agentNamed(hf, node.agent) });
      const { id, runs } = await hf.flow(name, named, { ...options, ...by(c) });
      return c.json(
        { id, runs: Object.fromEntries(Object.entries(runs).map(([node, run]) => [node, run.id])) },
        201,
      );
    })
    .openapi(list, async (c) => {
      const { flows, cursor } = await listFlows((await hf.opened()).db, c.req.valid("query"));
      return c.json(
        { flows: flows.map((flow) => ({ ...flow, createdAt: flow.createdAt.toISOString() })), cursor },
        200,
      );
    })
    .openapi(graph, async (c) => {
      const { id: runId } = c.req.valid("param");
      const found = await getGraph((await hf.opened()).db, runId);
      if (!found) throw new HoldfastError("RUN_NOT_FOUND", { runId });
      return c.json(found, 200);
    })
    .openapi(schedules, async (c) => {
      const found = await listSchedules((await hf.opened()).db);
      return c.json(
        { schedules: found.map((each) => ({ ...each, nextAt: each.nextAt?.toISOString() ?? null })) },
        200,
      );
    })
    .openapi(put, async (c) => {
      const { agent, ...schedule } = c.req.valid("json");
      const named = { ...schedule, agent: await agentNamed(hf, agent), ...by(c) };
      await hf.schedule(c.req.valid("param").name, named);
      return c.body(null, 204);
    })
    .openapi(remove, async (c) => {
      const { name } = c.req.valid("param");
      if (await hf.unschedule(name, by(c))) return c.body(null, 204);
      throw new HoldfastError("INVALID_ARGUMENT", { argument: "name", why: `is of no schedule: ${name}` });
    });
