import { idempotencyKey } from "@holdfast/core";

/** The idempotency key of the call that we are in the body of. Undefined outside of one. */
export function keyOfCall(): string | undefined {
  try {
    return idempotencyKey();
  } catch {
    return undefined;
  }
}
