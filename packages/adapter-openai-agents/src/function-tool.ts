import { HoldfastError } from "@holdfast/core";
import { takeOver } from "./approval.ts";
import { parsed, toolName } from "./arguments.ts";
import { derive, EFFECT } from "./mark.ts";
import type { FunctionTool, Invoke, InvokeDetails } from "./sdk.ts";
import { callTool } from "./tool-call.ts";

/**
 * The same function tool, its calls held. Its own time limit is enforced in the call, by the tool itself: around it, the
 * model would be told of a timeout, and the ledger of what came late.
 */
export function holdFunctionTool(tool: FunctionTool): FunctionTool {
  const invoke: Invoke = async (runContext, input, details) => {
    const { toolCall, signal } = details ?? {};
    const asked = parsed(input);
    const name = toolName({ name: tool.name, namespace: toolCall?.namespace });
    const call = { name, id: toolCall?.callId, input: asked, signal, effect: tool[EFFECT] };
    const made = callTool(held, call, runContext, (live) => {
      const given = !live || live.input === asked ? input : JSON.stringify(live.input);
      return tool.invoke(runContext, given, inBody(details, live?.signal ?? signal));
    });
    return await made.catch((error) => toldTo(tool, error));
  };
  const held = takeOver(derive(tool, { invoke, timeoutMs: undefined }), tool.needsApproval);
  return held;
}

/** What Holdfast has to say of a call, the model is told, as of any tool that fails. It would not fit a schema. */
export function toldTo(tool: FunctionTool, error: unknown): string {
  if (!HoldfastError.is(error) || tool.outputSchema !== undefined) throw error;
  return error.message;
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
