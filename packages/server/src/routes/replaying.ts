import { createRoute, z } from "@hono/zod-openapi";
import type { Replay } from "../replay.ts";
import { body, by, json, needs, ofRun, problems, router, runId, text } from "../router.ts";
import { Replayed, Trace } from "../schemas.ts";

const set = z.strictObject({
  input: z.unknown().optional(),
  steps: z.record(z.string(), z.strictObject({ output: z.unknown() })).optional(),
  model: text(512).optional().openapi({ description: "That models are asked by, as the framework knows it" }),
  prompt: text(100_000).optional().openapi({ description: "The system prompt that they are asked with" }),
});

const asked = z
  .discriminatedUnion("mode", [
    z.strictObject({ mode: z.literal("trace") }),
    z.strictObject({
      mode: z.enum(["mock-tools", "counterfactual"]),
      from: z
        .int()
        .min(1)
        .max(2 ** 31 - 1)
        .optional()
        .openapi({ description: "Up to this entry the record stands; by default 1" }),
      set: set.optional().openapi({ description: "What is to have been otherwise" }),
      live: z
        .array(text(512))
        .max(100)
        .optional()
        .openapi({ description: "Tools that are really called: their effects happen" }),
      id: runId.optional().openapi({ description: "Of the replay's own run; by default made up" }),
    }),
  ])
  .openapi("Replay");

const replay = createRoute({
  method: "post",
  path: "/runs/{id}/replay",
  summary: "Run an agent's code over the record of a run",
  description:
    "The run is only read. `trace` calls nothing and writes nothing; the other modes write a run of their own, and ask models. Answers once that has come to its end: with an `id` of one's own, its tail can be watched meanwhile. The code is that of the agent which the server's process has registered under the run's agent's name (holdfast serve --app); where it has none it is 409.",
  ...needs("operate"),
  request: { params: ofRun, ...body(asked) },
  responses: { 200: json("What came of it", z.union([Trace, Replayed])), ...problems },
});

export const replayingRoutes = (replayRun: Replay) =>
  router().openapi(replay, async (c) => {
    const asked = c.req.valid("json");
    const replaying = asked.mode === "trace" ? asked : { ...asked, ...by(c) };
    return c.json(await replayRun(c.req.valid("param").id, replaying), 200);
  });
