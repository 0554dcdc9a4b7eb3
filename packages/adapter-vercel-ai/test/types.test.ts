import * as ai7 from "ai";
import * as ai5 from "ai-v5";
import * as ai5Oldest from "ai-v5-oldest";
import * as ai6 from "ai-v6";
import * as ai6Oldest from "ai-v6-oldest";
import * as ai7Oldest from "ai-v7-oldest";
import { expectTypeOf, test } from "vitest";
import { z } from "zod";
import { durableMiddleware, durableTools, requestInput, withDurability } from "../src/index.ts";

// What these tests say is checked by the type check. Run, they only look at the modules.

test("a module that is held has the type that it had", () => {
  expectTypeOf(withDurability(ai5Oldest)).toEqualTypeOf<typeof ai5Oldest>();
  expectTypeOf(withDurability(ai5)).toEqualTypeOf<typeof ai5>();
  expectTypeOf(withDurability(ai6Oldest)).toEqualTypeOf<typeof ai6Oldest>();
  expectTypeOf(withDurability(ai6)).toEqualTypeOf<typeof ai6>();
  expectTypeOf(withDurability(ai7Oldest)).toEqualTypeOf<typeof ai7Oldest>();
  expectTypeOf(withDurability(ai7)).toEqualTypeOf<typeof ai7>();
});

type MiddlewareOf<T extends (options: never) => unknown> = Parameters<T>[0] extends { middleware: infer M }
  ? M
  : never;

test("durableMiddleware fits every wrapLanguageModel", () => {
  const middleware = durableMiddleware();
  expectTypeOf(middleware).toExtend<MiddlewareOf<typeof ai5Oldest.wrapLanguageModel>>();
  expectTypeOf(middleware).toExtend<MiddlewareOf<typeof ai5.wrapLanguageModel>>();
  expectTypeOf(middleware).toExtend<MiddlewareOf<typeof ai6Oldest.wrapLanguageModel>>();
  expectTypeOf(middleware).toExtend<MiddlewareOf<typeof ai6.wrapLanguageModel>>();
  expectTypeOf(middleware).toExtend<MiddlewareOf<typeof ai7Oldest.wrapLanguageModel>>();
  expectTypeOf(middleware).toExtend<MiddlewareOf<typeof ai7.wrapLanguageModel>>();
});

test("tools that are held have the types that they had, and their calls are typed by them", () => {
  const tools = {
    lookup: ai7.tool({
      inputSchema: z.object({ order: z.string() }),
      execute: async ({ order }) => ({ order, cents: 4200 }),
    }),
  };
  expectTypeOf(durableTools(tools)).toEqualTypeOf<typeof tools>();

  const { generateText } = withDurability(ai7);
  const ask = () => generateText({ model: "some/model", tools, prompt: "go" });
  type Call = Awaited<ReturnType<typeof ask>>["staticToolCalls"][number];
  expectTypeOf<Call["input"]>().toEqualTypeOf<{ order: string }>();
});

test("requestInput fits the tools of every version", () => {
  const tools = { requestInput: requestInput() };
  expectTypeOf(tools).toExtend<ai5Oldest.ToolSet>();
  expectTypeOf(tools).toExtend<ai5.ToolSet>();
  expectTypeOf(tools).toExtend<ai6Oldest.ToolSet>();
  expectTypeOf(tools).toExtend<ai6.ToolSet>();
  expectTypeOf(tools).toExtend<ai7Oldest.ToolSet>();
  expectTypeOf(tools).toExtend<ai7.ToolSet>();
});
