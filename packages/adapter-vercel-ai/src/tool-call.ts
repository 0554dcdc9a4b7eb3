import { type Effect, type Live, openOutlet } from "@holdfast/core";
import type { Hold } from "./hold.ts";
import { EFFECT, type MARK } from "./mark.ts";
import { unlessStopped } from "./stop.ts";
import { governedBy } from "./tool-schema.ts";

/** A tool of the SDK, as far as it concerns us. */
export interface Tool {
  readonly execute?: Execute | undefined;
  readonly isProviderExecuted?: boolean | undefined;
  readonly inputSchema?: unknown;
  readonly needsApproval?: unknown;
  /** How much harm a repeat does, for tools that are Holdfast's own. */
  readonly [EFFECT]?: Effect;
}

export interface Execute {
  (input: unknown, options: ToolOptions): unknown;
  readonly [MARK]?: Original;
}

interface ToolOptions {
  readonly toolCallId: string;
  readonly abortSignal?: AbortSignal | undefined;
}

/** What is called in the end, and what `this` is to it. */
export interface Original {
  readonly tool: Tool;
  readonly execute: Execute;
}

type Find = () => Hold | undefined;

export function holdFunction(name: string, { tool, execute }: Original, find: Find): Execute {
  return async function held(input, options) {
    const hold = find();
    if (!hold) return execute.call(tool, input, options);
    return toolCall(hold, name, tool, input, options, async (live) => {
      const returned = await execute.call(tool, live.input, whileLive(live, options));
      return isAsyncIterable(returned) ? lastOf(returned) : returned;
    });
  };
}

/** What it yields goes through as it comes. The last of it is the outcome, as it is to the SDK: a replay yields that. */
export function holdGenerator(name: string, { tool, execute }: Original, find: Find): Execute {
  return async function* held(input, options): AsyncGenerator<unknown> {
    const hold = find();
    if (!hold) return yield* execute.call(tool, input, options) as AsyncIterable<unknown>;

    const yielded = openOutlet<unknown>();
    const outcome = toolCall(hold, name, tool, input, options, (live) => {
      const values = execute.call(tool, live.input, whileLive(live, options)) as AsyncIterable<unknown>;
      return lastOf(values, yielded.enqueue);
    });
    outcome.then(yielded.close, yielded.close);

    let isLive = false;
    for await (const value of yielded.stream) {
      isLive = true;
      yield value;
    }
    const output = await outcome;
    if (!isLive) yield output;
  };
}

async function toolCall(
  hold: Hold,
  name: string,
  { inputSchema, [EFFECT]: effect }: Tool,
  input: unknown,
  { toolCallId: id, abortSignal: signal }: ToolOptions,
  work: (live: Live<unknown>) => Promise<unknown>,
): Promise<unknown> {
  const answered = hold.answered.get(id);
  // Begun only once the answer that asks for it is on record: until then the ledger would not know whose call it is.
  if (answered !== undefined) await unlessStopped(hold, answered).finally(() => hold.answered.delete(id));
  const call = { kind: "tool", name, id, input, signal, effect, ...governedBy(inputSchema) } as const;
  return unlessStopped(hold, hold.port.step(call, work));
}

const whileLive = ({ key, signal }: Live<unknown>, options: ToolOptions) => ({
  ...options,
  abortSignal: signal,
  idempotencyKey: key,
});

async function lastOf(
  values: AsyncIterable<unknown>,
  see: (value: unknown) => void = () => {},
): Promise<unknown> {
  let last: unknown;
  for await (last of values) see(last);
  return last;
}

const isAsyncIterable = (value: unknown): value is AsyncIterable<unknown> =>
  typeof (value as AsyncIterable<unknown> | null | undefined)?.[Symbol.asyncIterator] === "function";
