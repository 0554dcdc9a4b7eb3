import { type Begun, type Live, outsideRun } from "@holdfast/core";
import { currentHold, type Hold } from "./hold.ts";
import { MARK } from "./mark.ts";

export type Tools = Readonly<Record<string, Tool>>;

/** A tool of the SDK, as far as it concerns us. */
interface Tool {
  readonly execute?: Execute | undefined;
}

interface Execute {
  (input: unknown, options: ToolOptions): unknown;
  readonly [MARK]?: Original;
}

interface ToolOptions {
  readonly toolCallId: string;
  readonly abortSignal?: AbortSignal | undefined;
}

/** What stood there before. A tool that is bound to one call of the framework is bound anew for the next. */
interface Original {
  readonly tool: Tool;
  readonly execute: Execute;
}

/**
 * The same tools, each call held by the run that it is made in. `withDurability` does this by itself; this is for tools
 * that reach the SDK some other way.
 */
export function durableTools<T extends object>(tools: T): T {
  const find = () => {
    const hold = currentHold();
    if (!hold) outsideRun("a tool of durableTools");
    return hold;
  };
  return holdTools(tools as Tools, find) as T; // only `execute` differs, and it takes and gives the same
}

/** The same tools, held by what `find` finds when one is called. Where it finds nothing they run as they are. */
export function holdTools(tools: Tools, find: () => Hold | undefined): Tools {
  return Object.fromEntries(Object.entries(tools).map(([name, tool]) => [name, holdTool(name, tool, find)]));
}

function holdTool(name: string, tool: Tool, find: () => Hold | undefined): Tool {
  // No `execute`: it runs at the provider or in the browser, and its result comes with the conversation.
  if (typeof tool?.execute !== "function") return tool;
  const original = tool.execute[MARK] ?? { tool, execute: tool.execute };
  // The SDK looks at what `execute` returns before it awaits it: a generator function must stay one.
  const generates = original.execute.constructor.name === "AsyncGeneratorFunction";
  const held = generates ? holdGenerator(name, original, find) : holdFunction(name, original, find);
  // By descriptors: a spread would lose what the SDK hides on some tools as non-enumerable properties.
  return Object.create(Object.getPrototypeOf(tool), {
    ...Object.getOwnPropertyDescriptors(tool),
    execute: { value: Object.assign(held, { [MARK]: original }), enumerable: true, configurable: true, writable: true },
  });
}

function holdFunction(name: string, { tool, execute }: Original, find: () => Hold | undefined): Execute {
  return async function held(input, options) {
    const hold = find();
    if (!hold) return execute.call(tool, input, options);
    const call = await begin(hold, name, input, options);
    if (call.at === "recorded") return call.value;

    let output: unknown;
    try {
      output = await call.enter(async () => {
        const returned = await execute.call(tool, input, whileLive(call, options));
        return isAsyncIterable(returned) ? lastOf(returned) : returned;
      });
    } catch (error) {
      await call.fail(error, { aborted: isAborted(call, options) });
      throw error;
    }
    return call.commit(output);
  };
}

/** What it yields goes through as it comes. The last of it is the outcome, as it is to the SDK: a replay yields that. */
function holdGenerator(name: string, { tool, execute }: Original, find: () => Hold | undefined): Execute {
  return async function* held(input, options): AsyncGenerator<unknown> {
    const hold = find();
    if (!hold) return yield* execute.call(tool, input, options) as AsyncIterable<unknown>;
    const call = await begin(hold, name, input, options);
    if (call.at === "recorded") return yield call.value;

    let open = true;
    let last: unknown;
    try {
      const values = call.enter(() => execute.call(tool, input, whileLive(call, options)));
      for await (last of entering(call, values as AsyncIterable<unknown>)) yield last;
      open = false;
      await call.commit(last);
    } catch (error) {
      if (open) await call.fail(error, { aborted: isAborted(call, options) });
      open = false;
      throw error;
    } finally {
      // The SDK stopped reading, and so the tool stopped somewhere in between.
      if (open) await call.fail(new Error(`Nobody read on from tool ${name}.`), { aborted: true });
    }
  };
}

/**
 * A tool call is begun only once the answer that asks for it is on record; the SDK may be earlier. Until then the ledger
 * would not know whose call it is.
 */
async function begin(hold: Hold, name: string, input: unknown, { toolCallId }: ToolOptions): Promise<Begun<unknown>> {
  try {
    await hold.answered.get(toolCallId);
  } finally {
    hold.answered.delete(toolCallId);
  }
  return hold.port.begin({ kind: "tool", name, id: toolCallId, input });
}

function whileLive({ key, signal }: Live<unknown>, options: ToolOptions) {
  const { abortSignal } = options;
  return {
    ...options,
    abortSignal: abortSignal ? AbortSignal.any([abortSignal, signal]) : signal,
    idempotencyKey: key,
  };
}

/** An aborted tool may or may not have done its work. Its error says nothing about that. */
const isAborted = ({ signal }: Live<unknown>, { abortSignal }: ToolOptions) =>
  signal.aborted || abortSignal?.aborted === true;

/** A generator's body runs in the context of whoever asks for the next value: it is asked for in the call's lane. */
async function* entering(call: Live<unknown>, values: AsyncIterable<unknown>): AsyncGenerator<unknown> {
  const iterator = values[Symbol.asyncIterator]();
  let next = await call.enter(() => iterator.next());
  try {
    for (; !next.done; next = await call.enter(() => iterator.next())) yield next.value;
  } finally {
    if (!next.done) await call.enter(() => iterator.return?.());
  }
}

async function lastOf(values: AsyncIterable<unknown>): Promise<unknown> {
  let last: unknown;
  for await (last of values);
  return last;
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof (value as AsyncIterable<unknown> | null | undefined)?.[Symbol.asyncIterator] === "function";
}
