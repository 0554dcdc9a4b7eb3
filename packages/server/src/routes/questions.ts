import type { Holdfast } from "@holdfast/core";
import { createRoute, z } from "@hono/zod-openapi";
import { body, by, count, json, needs, problems, router, runId, text } from "../router.ts";
import { Question } from "../schemas.ts";
import type { Shown } from "../shown.ts";

const list = createRoute({
  method: "get",
  path: "/questions",
  summary: "What runs ask people, those that were asked first first",
  ...needs("read"),
  request: {
    query: z.strictObject({
      runId: runId.optional().openapi({ description: "Of this run only" }),
      limit: count(1, 500).optional().openapi({ description: "1 to 500, by default 100" }),
    }),
  },
  responses: { 200: json("Open questions", z.object({ questions: z.array(Question) })), ...problems },
});

const comment = text(10_000).optional();
const given = z.unknown().refine((value) => value !== undefined, "is missing");

const answer = createRoute({
  method: "post",
  path: "/questions/{id}/answer",
  summary: "Answer a question: once, in the name of the key",
  description:
    "`approve` lets the call go out, or not; with `input`, it goes out with these arguments instead. `value` is what was asked for.",
  ...needs("approve"),
  request: {
    params: z.strictObject({ id: text(128).openapi({ param: { name: "id", in: "path" } }) }),
    ...body(
      z
        .union([
          z.strictObject({ approve: z.literal(true), input: z.unknown().optional(), comment }),
          z.strictObject({ approve: z.literal(false), comment }),
          z.strictObject({ value: given, comment }),
        ])
        .openapi("Answer"),
    ),
  },
  responses: { 204: { description: "Recorded" }, ...problems },
});

export const questionRoutes = (hf: Holdfast, shown: Shown) =>
  router()
    .openapi(list, async (c) => {
      const questions = await hf.questions.list(c.req.valid("query"));
      return c.json({ questions: questions.map(shown.question) }, 200);
    })
    .openapi(answer, async (c) => {
      await hf.questions.answer(c.req.valid("param").id, { ...c.req.valid("json"), ...by(c) });
      return c.body(null, 204);
    });
