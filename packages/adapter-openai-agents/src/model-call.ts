import { type Call, current, type Port } from "@holdfast/core";
import type { Answer } from "./answer.ts";
import type { Hold } from "./hold.ts";
import type { ModelRequest } from "./sdk.ts";

/** A model call that is held: where, and what it asks. */
export interface Asking {
  readonly port: Port;
  readonly hold: Hold | undefined;
  readonly call: Call<Answer>;
}

/** The bodies of model calls. */
const inModel = new WeakSet<Port>();

export const isInBody = (port: Port): boolean => inModel.has(port);

/** Runs the model's own code. */
export function inBody<T>(work: () => T): T {
  const body = current();
  if (body) inModel.add(body);
  return work();
}

/** On the request itself: the SDK knows it again by its identity, to count what failed calls have used. */
export async function withSignal<T>(
  request: ModelRequest,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const own = request.signal;
  request.signal = signal;
  try {
    return await work();
  } finally {
    request.signal = own;
  }
}
