import { HoldfastError } from "@holdfast/core";
import { toolName } from "./answer.ts";
import { derive } from "./mark.ts";
import type { FunctionTool, Invoke, InvokeDetails } from "./sdk.ts";
import { callTool } from "./tool-call.ts";

/**
 * The same function tool, its calls held. Its own time limit is enforced in the call, by the tool itself: around it, the
 * model would be told of a timeout, and the ledger of what came late.
 */
export function holdFunctionTool(tool: FunctionTool): FunctionTool {
  const invoke: Invoke = async (runContext, input, details) => {
    const { toolCall, signal } = details ?? {};
    const call = {
      name: toolName({ name: tool.name, namespace: toolCall?.namespace }),
      id: toolCall?.callId,
      input: parsed(input),
      signal,
    };
    try {
      return await callTool(call, runContext, (live) =>
        tool.invoke(runContext, input, inBody(details, live?.signal ?? signal)),
      );
    } catch (error) {
      // What Holdfast has to say of a call, the model is told, as of any tool that fails. It would not fit a schema.
      if (!HoldfastError.is(error) || tool.outputSchema !== undefined) throw error;
      return error.message;
    }
  };
  return derive(tool, { invoke, timeoutMs: undefined });
}

/** The details of a call, without the SDK's note that the time limit is enforced further out: there is none there now. */
function inBody(details: InvokeDetails | undefined, signal: AbortSignal | undefined): InvokeDetails {
  const own = Object.getOwnPropertyDescriptors(details ?? {});
  const kept = Reflect.ownKeys(own).filter(
    (key) => typeof key === "string" || key.description !== "functionToolTimeoutAlreadyEnforced",
  );
  const descriptors = Object.fromEntries(
    kept.map((key) => [key, Reflect.get(own, key)]),
  ) as PropertyDescriptorMap;
  return Object.create(Object.getPrototypeOf(details ?? {}), {
    ...descriptors,
    signal: { value: signal, enumerable: true, configurable: true, writable: true },
  });
}

/** Arguments as the model wrote them, as data where they are JSON. */
function parsed(input: string): unknown {
  try {
    return JSON.parse(input);
  } catch {
    return input;
  }
}
