import { type Holdfast, HoldfastError } from "@holdfast/core";
import { createRoute, z } from "@hono/zod-openapi";
import { eventStream } from "../event-stream.ts";
import { count, needs, ofRun, problems, router } from "../router.ts";
import type { Shown } from "../shown.ts";
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

export const tailRoutes = (_hf: Holdfast, watch: Watch, shown: Shown) =>
  router().openapi(tailRun, async (c) => {
    const { id: runId } = c.req.valid("param");
    const after = c.req.valid("header")["last-event-id"] ?? c.req.valid("query").after ?? 0;
    const place = await watch.place(runId);
    if (!place) throw new HoldfastError("RUN_NOT_FOUND", { runId });
    if (place.ended && after >= place.seq) return c.body(null, 204);
    return eventStream(c, async function* (signal) {
      for await (const entry of watch.entries(runId, after, signal))
        yield { id: String(entry.seq), data: shown.entry(entry) };
    });
  });
