import { createOpenAICompatible as createV4 } from "@ai-sdk/openai-compatible";
import { createOpenAICompatible as createV2 } from "@ai-sdk/openai-compatible-v1";
import { createOpenAICompatible as createV3 } from "@ai-sdk/openai-compatible-v2";
import * as ai7 from "ai";
import * as ai5 from "ai-v5";
import * as ai5Oldest from "ai-v5-oldest";
import * as ai6 from "ai-v6";
import * as ai6Oldest from "ai-v6-oldest";
import * as ai7Oldest from "ai-v7-oldest";

// biome-ignore lint/suspicious/noExplicitAny: one test for six modules whose types differ; types.test.ts has the types.
type Any = any;

/** What the tests use of the SDK, alike in all its versions. */
export interface Ai {
  generateText(options: object): Promise<Any>;
  streamText(options: object): Any;
  generateObject(options: object): Promise<Any>;
  streamObject(options: object): Any;
  wrapLanguageModel(options: object): Any;
  tool(definition: object): Any;
  readonly Experimental_Agent: new (
    settings: object,
  ) => { generate(options: object): Any; stream(options: object): Any };
  readonly [name: string]: Any;
}

export interface Version {
  readonly name: string;
  readonly major: 5 | 6 | 7;
  readonly ai: Ai;
  /** A provider of the model specification that came with this major version. */
  readonly createProvider: (options: {
    name: string;
    baseURL: string;
    includeUsage: true;
  }) => (id: string) => Any;
}

export const versions: readonly Version[] = [
  { name: "ai 5.0.0", major: 5, ai: ai5Oldest as Any, createProvider: createV2 },
  { name: "ai 5.0.277", major: 5, ai: ai5 as Any, createProvider: createV2 },
  { name: "ai 6.0.0", major: 6, ai: ai6Oldest as Any, createProvider: createV3 },
  { name: "ai 6.0.326", major: 6, ai: ai6 as Any, createProvider: createV3 },
  { name: "ai 7.0.10", major: 7, ai: ai7Oldest as Any, createProvider: createV4 },
  { name: "ai 7.0.173", major: 7, ai: ai7 as Any, createProvider: createV4 },
];

/** The loop ends after so many steps. Called `stepCountIs` up to ai 6. */
export const stepCount = (ai: Ai, n: number) => (ai.isStepCount ?? ai.stepCountIs)(n);
