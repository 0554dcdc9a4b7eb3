import type { Holdfast } from "@holdfast/core";

export { workbench } from "../../../test/workbench.ts";

/** The configuration of a thread that no other test has. */
export const newThread = () => ({ configurable: { thread_id: `thread-${crypto.randomUUID()}` } });

/** A tool's body that its process does not live to see the end of, the first time. Then it does what it says. */
export function dying(does: () => unknown = () => ({ ok: true })) {
  const reached = Promise.withResolvers<void>();
  let calls = 0;
  return {
    reached: reached.promise,
    calls: () => calls,
    body: (): unknown => {
      if (++calls > 1) return does();
      reached.resolve();
      return new Promise<never>(() => {});
    },
  };
}

/** Calls until `reached`, and then the Holdfast that did it is gone, as if its process were. */
export async function dieIn(
  hf: Holdfast,
  reached: Promise<void>,
  call: () => Promise<unknown>,
): Promise<void> {
  const calling = call().catch(() => {}); // it is cut short
  await reached;
  await hf.close({ graceSeconds: 0 });
  await calling;
}
