import { type Holdfast, type HoldfastOptions, openHoldfast } from "@holdfast/core";
import { afterAll, afterEach, beforeAll } from "vitest";
import { freshDatabase } from "../../../test/fresh-database.ts";

/** A database, and Holdfasts on it, for the tests of one file. */
export function workbench(options: HoldfastOptions = {}) {
  const opened: Holdfast[] = [];
  let database: Awaited<ReturnType<typeof freshDatabase>>;
  let shared: Holdfast;

  const open = async (more: HoldfastOptions = {}): Promise<Holdfast> =>
    openHoldfast({ database: database.url, graceSeconds: 0.1, ...options, ...more });

  beforeAll(async () => {
    database = await freshDatabase();
    shared = await open();
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((hf) => hf.close({ graceSeconds: 0 })));
  });
  afterAll(async () => {
    await shared.close({ graceSeconds: 0 });
    await database.drop();
  });

  return {
    /** A Holdfast as one process has it. */
    here: () => shared,
    url: () => database.url,
    /** One more, as another process would have it. */
    open: async (more: HoldfastOptions = {}): Promise<Holdfast> => {
      const hf = await open(more);
      opened.push(hf);
      return hf;
    },
  };
}

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
