import type { Effect, Port } from "@holdfast/core";
import { executionOf, nodeInput } from "./execution.ts";
import { fromKept, isMessage, type ToolCall, toKept } from "./kept.ts";
import { shadowOf } from "./shadow.ts";
import { isControlFlow, unlessStopped } from "./stop.ts";
import { unannounced } from "./watchdog.ts";

/** On a tool of Holdfast's own: its effect. */
export const EFFECT: unique symbol = Symbol.for("holdfast.langgraph.effect");

/** A tool of LangChain: what it is called with is checked against its schema, and then `_call` does it. */
export interface Tool {
  readonly name: string;
  readonly [EFFECT]?: Effect | undefined;
  readonly schema?: Schema | undefined;
  _call(input: unknown, manager: Manager | undefined, config: ToolConfig | undefined): unknown;
}

/** A zod schema, which makes of arguments what the tool is given; or JSON Schema, which does not. */
interface Schema {
  readonly parseAsync?: ((input: unknown) => Promise<unknown>) | undefined;
}

export interface ToolConfig {
  readonly signal?: AbortSignal | undefined;
  readonly toolCall?: { readonly id?: string };
  readonly toolCallId?: string;
}

interface Manager {
  handleToolEvent?(event: unknown): Promise<unknown>;
}

/** The same tool, one call of it held: `given` is what it is called with, before its schema has made anything of it. */
export function holdTool<T extends Tool>(tool: T, port: Port, given: unknown): T {
  return shadowOf(tool, {
    _call(parsed: unknown, manager: Manager | undefined, config: ToolConfig | undefined) {
      const called = isToolCall(given)
        ? { id: given.id, input: given.args }
        : { id: idIn(config), input: given };
      const call = { ...called, signal: config?.signal, effect: tool[EFFECT] };
      return held(tool.name, port, call, async ({ signal, changed }) => {
        const input = changed ? await parse(tool.schema, changed.input) : parsed;
        const output = await tool._call(input, manager, { ...config, signal });
        return isGenerator(output) ? lastOf(output, (event) => manager?.handleToolEvent?.(event)) : output;
      });
    },
  });
}

interface Called {
  readonly id: string | undefined;
  readonly input: unknown;
  readonly signal: AbortSignal | undefined;
  readonly effect?: Effect | undefined;
}

interface Going {
  readonly signal: AbortSignal;
  /** Whoever approved the call changed its arguments to these. */
  readonly changed: { readonly input: unknown } | undefined;
}

/** A tool call. What the tool throws is its outcome, but not where it steers the graph: `interrupt()` in its body. */
export function held(
  name: string,
  port: Port,
  { id, input: raw, signal, effect }: Called,
  work: (going: Going) => unknown,
): Promise<unknown> {
  const input = toKept(raw);
  const call = {
    kind: "tool",
    name,
    id: id === "" ? undefined : id,
    answer: id === undefined ? undefined : answerThatAsks(id, nodeInput()),
    input,
    verbatim: true,
    effect,
    signal,
    undone: isControlFlow,
  } as const;
  const step = port.step<unknown>(call, async (live) => {
    const changed = live.input === input ? undefined : { input: fromKept(live.input) };
    return toKept(await unannounced(() => work({ signal: live.signal, changed })));
  });
  const { underWay } = executionOf(port);
  underWay.add(step);
  const settled = () => void underWay.delete(step);
  step.then(settled, settled);
  return unlessStopped(port, step).then(fromKept);
}

const parse = async (schema: Schema | undefined, input: unknown): Promise<unknown> =>
  schema?.parseAsync ? await schema.parseAsync(input) : input;

export const isToolCall = (value: unknown): value is ToolCall =>
  (value as { type?: unknown } | null | undefined)?.type === "tool_call";

const idIn = (config: ToolConfig | undefined) => config?.toolCall?.id ?? config?.toolCallId;

/** The id of the message, in what the node was given, that asks for this tool call: the last one that does. */
function answerThatAsks(id: string, input: unknown): string | undefined {
  if (typeof input !== "object" || input === null) return undefined;
  const channels = Array.isArray(input) ? [input] : Object.values(input).filter(Array.isArray);
  return channels
    .flat()
    .filter(isMessage)
    .findLast(({ tool_calls }) => tool_calls?.some((call) => call.id === id))?.id;
}

const isGenerator = (value: unknown): value is AsyncGenerator =>
  typeof (value as Partial<AsyncGenerator> | null | undefined)?.next === "function" &&
  Symbol.asyncIterator in (value as object);

/** What a generator returns is the outcome; what it yields are events on the way. */
async function lastOf(values: AsyncGenerator, see: (event: unknown) => unknown): Promise<unknown> {
  for (;;) {
    const { done, value } = await values.next();
    if (done) return value;
    await see(value);
  }
}
