import { type Holdfast, type HoldfastOptions, openHoldfast } from "@holdfast/core";
import { afterAll, afterEach, beforeAll } from "vitest";
import { freshDatabase } from "../../../test/fresh-database.ts";
import { type Asked, ScriptedModel, type Turn } from "../../adapter-vercel-ai/test/scripted-model.ts";
import type { Version } from "./versions.ts";

/** A database, a scripted model, and Holdfasts on the database, for the tests of one file. */
export function workbench(options: HoldfastOptions = {}) {
  const server = new ScriptedModel();
  const opened: Holdfast[] = [];
  let database: Awaited<ReturnType<typeof freshDatabase>>;
  let pair: [Holdfast, Holdfast];

  beforeAll(async () => {
    await server.listen();
    database = await freshDatabase();
    pair = [
      await openHoldfast({ database: database.url, ...options }),
      await openHoldfast({ database: database.url, ...options }),
    ];
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((hf) => hf.close({ graceSeconds: 0 })));
  });
  afterAll(async () => {
    await Promise.all(pair.map((hf) => hf.close({ graceSeconds: 0 })));
    server.close();
    await database.drop();
  });

  return {
    /** A Holdfast as one process has it. */
    here: () => pair[0],
    /** A Holdfast as another process has it, on the same database. */
    elsewhere: () => pair[1],
    /** One more, for tests that close it. */
    open: async (): Promise<Holdfast> => {
      const hf = await openHoldfast({ database: database.url, ...options });
      opened.push(hf);
      return hf;
    },
    /** Does the work as a run, and then again elsewhere. */
    twice: async <T>(work: () => T | PromiseLike<T>): Promise<[T, T]> => {
      const runId = newRunId();
      return [await pair[0].run(runId, work), await pair[1].run(runId, work)];
    },
    /** Does the work until `reached`, ends that process, and does it again in another one. */
    cut: async <T>(reached: Promise<unknown>, work: () => T | PromiseLike<T>): Promise<T> => {
      const runId = newRunId();
      const first = await openHoldfast({ database: database.url, ...options });
      const dying = first.run(runId, work).catch(() => {});
      await Promise.race([reached, dying]);
      await first.close({ graceSeconds: 0 });
      await dying;
      return await pair[1].run(runId, work);
    },
    url: () => database.url,
    /** A model of a name of its own that says these turns, over HTTP, and a runner whose provider knows it. */
    model: ({ sdk }: Version, ...turns: readonly Turn[]) => {
      const model = `scripted-${crypto.randomUUID()}`;
      server.script(model, ...turns);
      const modelProvider = new sdk.OpenAIProvider({
        apiKey: "none",
        baseURL: server.url,
        useResponses: false,
      });
      return {
        model,
        modelProvider,
        runner: new sdk.Runner({ modelProvider }),
        asked: (): readonly Asked[] => server.asked(model),
      };
    },
  };
}

/** An id for a run that no other test has. */
export const newRunId = () => `run-${crypto.randomUUID()}`;
