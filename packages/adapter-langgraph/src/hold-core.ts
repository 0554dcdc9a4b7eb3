import { current, type Port } from "@holdfast/core";
import { holdModel, type Provider } from "./hold-model.ts";
import { held, holdTool, isToolCall, type Tool, type ToolConfig } from "./hold-tool.ts";
import { isShadow } from "./shadow.ts";
import { announced } from "./watchdog.ts";

type Method = (this: object, ...args: never[]) => unknown;
interface Class {
  readonly prototype: object;
}

/** The classes of one copy of @langchain/core that all models and tools extend. */
export interface Core {
  readonly BaseChatModel: Class;
  readonly StructuredTool: Class;
  readonly RunnableToolLike: Class;
}

const patched = new WeakSet<object>();

/**
 * From now on the calls of all models and tools of this copy are held, wherever they are made inside a run: bound, in
 * closures, in batches, from MCP. Outside a run they are what they were. Their classes are patched because nothing less
 * reaches them: `bindTools` makes new models, and callbacks cannot give an answer.
 */
export function holdCore({ BaseChatModel, StructuredTool, RunnableToolLike }: Core): void {
  const model = BaseChatModel.prototype as Provider;
  const models = (port: Port, called: object) => holdModel(called as Provider, port, model);
  for (const method of ["_generateUncached", "_streamIterator", "streamEvents"])
    hold(model, method, "model", models);
  // What is on record comes before what is in a cache: two processes need not have the same one.
  replace(
    model,
    "_generateCached",
    (original) =>
      function (this: object, ...args) {
        const asked = (args as unknown as [{ messages: readonly unknown[] }])[0];
        if (!current()) return original.apply(this, args);
        return Promise.resolve({ generations: [], missingPromptIndices: [...asked.messages.keys()] });
      },
  );
  hold(StructuredTool.prototype, "call", "tool", (port, tool, [given]) =>
    holdTool(tool as Tool, port, given),
  );
  replace(
    RunnableToolLike.prototype,
    "invoke",
    (original) =>
      function (this: object, ...args) {
        const port = current();
        const [given, config] = args as unknown as [unknown, ToolConfig | undefined];
        if (!port) return original.apply(this, args);
        const call = isToolCall(given)
          ? { id: given.id, input: given.args }
          : { id: undefined, input: given };
        return held((this as Tool).name, port, { ...call, signal: config?.signal }, ({ signal, changed }) => {
          const asked =
            changed && isToolCall(given) ? { ...given, args: changed.input } : (changed?.input ?? given);
          return original.apply(this, [asked, { ...config, signal }] as never);
        });
      },
  );
}

/** Inside a run, `method` is called on a shadow whose own call out is held. */
function hold(
  prototype: object,
  method: string,
  kind: "model" | "tool",
  shadow: (port: Port, called: object, args: readonly unknown[]) => object,
): void {
  replace(
    prototype,
    method,
    (original) =>
      function (this: object, ...args) {
        const port = current();
        if (!port || isShadow(this)) return original.apply(this, args);
        const called = shadow(port, this, args);
        return announced(kind, () => original.apply(called, args));
      },
  );
}

function replace(prototype: object, name: string, by: (original: Method) => Method): void {
  const original = Reflect.get(prototype, name) as Method | undefined;
  if (!original || patched.has(original)) return;
  const method = by(original);
  patched.add(method);
  Object.defineProperty(prototype, name, { value: method, configurable: true, writable: true });
}
