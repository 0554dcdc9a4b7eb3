import { type Holdfast, type HoldfastOptions, openHoldfast } from "@holdfast/core";
import { afterAll, afterEach, beforeAll } from "vitest";
import { ScriptedModel } from "../packages/adapter-vercel-ai/test/scripted-model.ts";
import { freshDatabase } from "./fresh-database.ts";

/** A database and Holdfasts on it, for the tests of one file. */
export function workbench(options: HoldfastOptions = {}) {
  const opened: Holdfast[] = [];
  let database: Awaited<ReturnType<typeof freshDatabase>>;
  let pair: [Holdfast, Holdfast];

  const openOne = (more: HoldfastOptions = {}) =>
    openHoldfast({ database: database.url, graceSeconds: 0.1, ...options, ...more });

  beforeAll(async () => {
    database = await freshDatabase();
    pair = [await openOne(), await openOne()];
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((hf) => hf.close({ graceSeconds: 0 })));
  });
  afterAll(async () => {
    await Promise.all(pair.map((hf) => hf.close({ graceSeconds: 0 })));
    await database.drop();
  });

  /** One more, for tests that close it: as yet another process has it. */
  async function open(more: HoldfastOptions = {}): Promise<Holdfast> {
    const hf = await openOne(more);
    opened.push(hf);
    return hf;
  }

  return {
    /** A Holdfast as one process has it. */
    here: () => pair[0],
    /** A Holdfast as another process has it, on the same database. */
    elsewhere: () => pair[1],
    open,
    /** Does the work as a run, and then again elsewhere. */
    twice: async <T>(work: () => T | PromiseLike<T>): Promise<[T, T]> => {
      const runId = newRunId();
      return [await pair[0].run(runId, work), await pair[1].run(runId, work)];
    },
    /** Does the work until `reached`, ends that process, and does it again in another one. */
    cut: async <T>(reached: Promise<unknown>, work: () => T | PromiseLike<T>): Promise<T> => {
      const runId = newRunId();
      const first = await open();
      const dying = first.run(runId, work).catch(() => {});
      await Promise.race([reached, dying]);
      await first.close({ graceSeconds: 0 });
      await dying;
      return await pair[1].run(runId, work);
    },
    url: () => database.url,
  };
}

/** The server of scripted models, for the tests of one file. */
export function modelServer(): ScriptedModel {
  const server = new ScriptedModel();
  beforeAll(() => server.listen());
  afterAll(() => server.close());
  return server;
}

/** An id for a run that no other test has. */
export const newRunId = () => `run-${crypto.randomUUID()}`;
