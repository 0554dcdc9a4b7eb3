import { current, type Port } from "@holdfast/core";
import { executionOf } from "./execution.ts";
import { toKept } from "./kept.ts";
import { governedBy, lastAnswer, type Request, requestIn, reviewedCalls, reviewOf } from "./review.ts";
import type { Config, Runnable } from "./runnable.ts";
import { isControlFlow, unlessStopped } from "./stop.ts";

/*
 * `humanInTheLoopMiddleware` of langchain asks about the calls of an answer by one interrupt(), and pairs what is said with
 * them by their order. In a run Holdfast asks about each of them instead, in one with policy: the questions are on record
 * before the middleware's node is done, and the middleware lets all calls go on to where they wait for their answers.
 */

/** What createAgent runs in the node of the middleware. */
const NAME = "AfterModelNode_HumanInTheLoopMiddleware";

/** The same, if it is the middleware's: what it would interrupt the graph for becomes questions of the run that it is in. */
export function holdReview(bound: Runnable): Runnable {
  if (bound.name !== NAME) return bound;
  const invoke: Runnable["invoke"] = (input, config) => {
    const port = current();
    return port ? review(port, bound, input, config) : bound.invoke(input, config);
  };
  return Object.create(bound, { invoke: { value: invoke } });
}

async function review(port: Port, node: Runnable, input: unknown, config: Config): Promise<unknown> {
  const asked = await ask(node, input, config);
  if ("result" in asked) return asked.result;
  const { reviews } = executionOf(port);
  const answer = lastAnswer(input);
  const calls = reviewedCalls(answer, asked.request);
  if (!calls) return await node.invoke(input, config); // LangGraph asks, as it does
  for (const { call, review } of calls) reviews.set(reviewOf(answer?.id, call.id ?? ""), review);
  for (const { call, review } of calls) {
    const { id, name } = call;
    const about = {
      kind: "tool",
      name,
      id,
      answer: answer?.id,
      input: toKept(call.args),
      verbatim: true,
    } as const;
    const then = await unlessStopped(port, port.decides({ ...about, ...governedBy(() => review) }));
    // The ledger does not know whose call it is: no model that is held has asked for it.
    if (then === "allow") return await node.invoke(input, config);
  }
  return { jumpTo: undefined }; // as where there is nothing to ask about
}

/** Runs the middleware where interrupt() always interrupts, and needs no checkpointer for it. */
async function ask(
  node: Runnable,
  input: unknown,
  config: Config,
): Promise<{ result: unknown } | { request: Request }> {
  const { configurable } = config;
  const alone = {
    ...configurable,
    __pregel_checkpointer: configurable?.__pregel_checkpointer ?? {},
    __pregel_scratchpad: {
      ...configurable?.__pregel_scratchpad,
      interruptCounter: -1,
      resume: [],
      nullResume: undefined,
    },
  };
  try {
    return { result: await node.invoke(input, { ...config, configurable: alone }) };
  } catch (error) {
    const request = isControlFlow(error) ? requestIn(error) : undefined;
    if (!request) throw error;
    return { request };
  }
}
