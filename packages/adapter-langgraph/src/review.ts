import { isDeepStrictEqual } from "node:util";
import type { Governed, OwnRuling } from "@holdfast/core";
import { isMessage, type Message, type ToolCall } from "./kept.ts";

/** What the middleware asks about one call. */
export interface Review {
  readonly ruling: OwnRuling;
  /** JSON Schema of the arguments that it may be approved with. Absent: any. */
  readonly schema?: unknown;
}

/** What policy is to know of a call, and of its tool's schema: the middleware comes to it only after the answer. */
export const governedBy = (review: () => Review | undefined, schema?: unknown): Governed => ({
  says: () => review()?.ruling,
  schema: () => review()?.schema ?? schema,
});

/** Of an answer, which call. */
export const reviewOf = (answer: string | undefined, id: string): string => JSON.stringify([answer, id]);

/** What the middleware's interrupt() says. */
export interface Request {
  readonly actionRequests: readonly {
    readonly name: string;
    readonly args: unknown;
    readonly description?: string;
  }[];
  readonly reviewConfigs: readonly {
    readonly allowedDecisions: readonly string[];
    readonly argsSchema?: unknown;
  }[];
}

/** The request of an interrupt() of the middleware's. */
export function requestIn(error: unknown): Request | undefined {
  const [interrupt] = (error as { interrupts?: readonly { value?: Partial<Request> }[] }).interrupts ?? [];
  const { actionRequests, reviewConfigs } = interrupt?.value ?? {};
  return actionRequests && reviewConfigs ? { actionRequests, reviewConfigs } : undefined;
}

/** The last answer in the node's state: the one that the middleware looks at. */
export function lastAnswer(input: unknown): Message | undefined {
  const { messages } = input as { messages?: readonly unknown[] };
  return messages?.filter(isMessage).findLast((message) => message._getType() === "ai");
}

export interface Reviewed {
  readonly call: ToolCall;
  readonly review: Review;
}

/**
 * Which calls the middleware asks about: it says so in their order, and without their ids. Calls that look the same are
 * asked about alike, even if it asks about fewer of them. Undefined: it asks about something that is not in the answer.
 */
export function reviewedCalls(
  answer: Message | undefined,
  { actionRequests, reviewConfigs }: Request,
): Reviewed[] | undefined {
  const indexOf = (call: ToolCall) =>
    actionRequests.findIndex(({ name, args }) => name === call.name && isDeepStrictEqual(args, call.args));
  const calls = (answer?.tool_calls ?? []).flatMap((call): Reviewed[] => {
    const at = indexOf(call);
    const [action, config] = [actionRequests[at], reviewConfigs[at]];
    return action && config ? [{ call, review: reviewBy(call, action, config) }] : [];
  });
  return calls.length < actionRequests.length ? undefined : calls;
}

function reviewBy(
  { name, args }: ToolCall,
  { description = "" }: Request["actionRequests"][number],
  { allowedDecisions, argsSchema }: Request["reviewConfigs"][number],
): Review {
  const [mayApprove, mayEdit] = ["approve", "edit"].map((decision) => allowedDecisions.includes(decision));
  const rule = "humanInTheLoopMiddleware";
  if (!mayApprove && !mayEdit) return { ruling: { then: "deny", rule, reason: "it allows no approval" } };
  // What it says of itself repeats the arguments. The question has them, without what is to be kept from the ledger.
  const itsOwn = `\n\nTool: ${name}\nArgs: ${JSON.stringify(args, null, 2)}`;
  const reason = description.endsWith(itsOwn) ? description.slice(0, -itsOwn.length) : description;
  const ruling = { then: "ask", rule, ...(reason === "" ? {} : { reason }) } as const;
  return { ruling, schema: mayEdit ? argsSchema : NO_OTHERS };
}

/** It may not be approved with other arguments than its own: no such fit. */
const NO_OTHERS = { not: {} };
