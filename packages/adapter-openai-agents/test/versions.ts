import * as newest from "@openai/agents";
import * as oldest from "agents-oldest";

// biome-ignore lint/suspicious/noExplicitAny: one test for modules whose types differ; types.test.ts has the types.
type Any = any;

/** What the tests use of the SDK, alike in all its versions. */
export interface Sdk {
  readonly Agent: new (options: object) => Any;
  readonly Runner: new (options?: object) => { run(agent: Any, input: Any, options?: object): Promise<Any> };
  readonly OpenAIProvider: new (options: object) => Any;
  readonly run: (agent: Any, input: Any, options?: object) => Promise<Any>;
  readonly tool: (options: object) => Any;
  readonly handoff: (agent: Any, options?: object) => Any;
  readonly [name: string]: Any;
}

export interface Version {
  readonly name: string;
  readonly sdk: Sdk;
  /** Refuses an answer that uses the id of an earlier tool call for another one. */
  readonly refusesReusedIds: boolean;
  /** Tells a tool when its caller aborts. Before, a tool goes on whatever its caller does. */
  readonly abortsTools: boolean;
}

export const versions: readonly Version[] = [
  { name: "agents 0.8.0", sdk: oldest as Any, refusesReusedIds: false, abortsTools: false },
  { name: "agents 0.20.0", sdk: newest as Any, refusesReusedIds: true, abortsTools: true },
];

for (const { sdk } of versions) sdk.setTracingDisabled(true);
