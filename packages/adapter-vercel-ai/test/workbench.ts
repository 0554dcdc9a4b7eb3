import { type Holdfast, openHoldfast } from "@holdfast/core";
import { afterAll, afterEach, beforeAll } from "vitest";
import { freshDatabase } from "../../../test/fresh-database.ts";
import { type Asked, ScriptedModel, type Turn } from "./scripted-model.ts";
import type { Version } from "./versions.ts";

(globalThis as { AI_SDK_LOG_WARNINGS?: boolean }).AI_SDK_LOG_WARNINGS = false;

/** A database and a scripted model for the tests of a file, and Holdfasts that close after each test. */
export function workbench(declared: Partial<Parameters<typeof openHoldfast>[0]> = {}) {
  const server = new ScriptedModel();
  const open: Holdfast[] = [];
  let database: Awaited<ReturnType<typeof freshDatabase>>;

  beforeAll(async () => {
    await server.listen();
    database = await freshDatabase();
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((hf) => hf.close({ graceSeconds: 0 })));
  });
  afterAll(async () => {
    server.close();
    await database.drop();
  });

  return {
    /** A Holdfast on the one database: what a second process would have. */
    async open(): Promise<Holdfast> {
      const hf = await openHoldfast({ database: database.url, ...declared });
      open.push(hf);
      return hf;
    },
    /** A model of a name of its own that says these turns. */
    model({ createProvider }: Version, ...turns: readonly Turn[]) {
      const id = `scripted-${crypto.randomUUID()}`;
      server.script(id, ...turns);
      const model = createProvider({ name: "scripted", baseURL: server.url, includeUsage: true })(id);
      return { model, id, asked: (): readonly Asked[] => server.asked(id) };
    },
  };
}

/** An id for a run that no other test has. */
export const newRunId = () => `run-${crypto.randomUUID()}`;
