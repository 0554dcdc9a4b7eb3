import { type Call, current, type Live, type Port } from "@holdfast/core";
import type { Answer } from "./answer.ts";
import type { Hold } from "./hold.ts";
import type { ModelRequest } from "./sdk.ts";
import type { Question } from "./set.ts";

/** A model call that is held: where, and what it asks. */
export interface Asking {
  readonly port: Port;
  readonly hold: Hold | undefined;
  readonly question: Question;
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

/**
 * Asks with the signal of the live call, and with what its budget leaves room for. On the request itself: the SDK knows
 * it again by its identity, to count what failed calls have used.
 */
export async function asLive<T>(
  request: ModelRequest,
  { signal, maxOutputTokens }: Live<Answer>,
  work: () => Promise<T>,
): Promise<T> {
  const own = { signal: request.signal, modelSettings: request.modelSettings };
  const capped = maxOutputTokens === undefined ? {} : { maxTokens: maxOutputTokens };
  Object.assign(request, { signal, modelSettings: { ...request.modelSettings, ...capped } });
  try {
    return await work();
  } finally {
    Object.assign(request, own);
  }
}
