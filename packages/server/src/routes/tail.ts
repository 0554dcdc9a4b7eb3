import { HoldfastError } from "@holdfast/core";
import { createRoute, z } from "@hono/zod-openapi";
import { readCursor } from "../cursor.ts";
import { eventStream } from "../event-stream.ts";
import type { Feed } from "../feed.ts";
import { count, needs, ofRun, problems, router, text } from "../router.ts";
import type { Shown } from "../shown.ts";
import { toldAs } from "../told.ts";
import type { Watch } from "../watch.ts";

const seq = count(0, 2 ** 31 - 1);

const events = (description: string) => ({
  description,
  content: { "text/event-stream": { schema: z.string() } },
});

const tailRun = createRoute({
  method: "get",
  path: "/runs/{id}/tail",
  summary: "The entries of a run as they are written, as Server-Sent Events",
  description:
    "Each event's id is the entry's seq: EventSource sends the last one it got when it connects again, and goes on behind it. After the run's last entry comes an event `end`; a request behind that entry is 204, on which EventSource stops.",
  ...needs("read"),
  request: {
    params: ofRun,
    query: z.strictObject({
      after: seq
        .optional()
        .openapi({ description: "Only entries behind this seq. Last-Event-ID counts before it" }),
    }),
    headers: z.object({ "last-event-id": seq.optional() }),
  },
  responses: {
    200: events("Entries"),
    204: { description: "The run has ended, and this was its last entry" },
    ...problems,
  },
});

const tailAll = createRoute({
  method: "get",
  path: "/tail",
  summary: "The entries of all runs as they are committed, without their values, as Server-Sent Events",
  description:
    "Begins now, or behind the event that Last-Event-ID names: each entry comes once, those of one run in their order. The id says where it stands between two snapshots of the database, so any server goes on from it.",
  ...needs("read"),
  request: {
    query: z.strictObject({
      agent: text(512).optional().openapi({ description: "Only runs of this agent" }),
    }),
    headers: z.object({ "last-event-id": z.string().max(4096).optional() }),
  },
  responses: { 200: events("Entries"), ...problems },
});

export const tailRoutes = (watch: Watch, feed: Feed, shown: Shown) =>
  router()
    .openapi(tailRun, async (c) => {
      const { id: runId } = c.req.valid("param");
      const after = c.req.valid("header")["last-event-id"] ?? c.req.valid("query").after ?? 0;
      const place = await watch.place(runId);
      if (!place) throw new HoldfastError("RUN_NOT_FOUND", { runId });
      if (place.ended && after >= place.seq) return c.body(null, 204);
      return eventStream(c, async function* (signal) {
        for await (const entry of watch.entries(runId, after, signal))
          yield { id: String(entry.seq), data: shown.entry(entry) };
      });
    })
    .openapi(tailAll, async (c) => {
      const last = c.req.valid("header")["last-event-id"];
      const { agent } = c.req.valid("query");
      const from = last ? readCursor(last) : await feed.here();
      return eventStream(c, async function* (signal) {
        for await (const { id, entry } of feed.entries(from, signal))
          if (agent === undefined || entry.agent === agent) yield { id, data: toldAs(entry) };
      });
    });
