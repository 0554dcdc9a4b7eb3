import * as checkpoints from "@langchain/langgraph-checkpoint";
import { deltaChannelHistoryTests, validate } from "@langchain/langgraph-checkpoint-validation";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { freshDatabase } from "../../../test/fresh-database.ts";
import { HoldfastSaver } from "../src/index.ts";

// LangGraph's own suite for checkpointers, as it is. It expects the test runner's words to be global.
Object.assign(globalThis, { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it });

const database = freshDatabase();
const savers: HoldfastSaver[] = [];

const checkpointer = {
  checkpointerName: "HoldfastSaver",
  async createCheckpointer() {
    const saver = new HoldfastSaver((await database).url);
    savers.push(saver);
    return saver;
  },
  async destroyCheckpointer(saver: HoldfastSaver) {
    for await (const { config } of saver.list({})) await saver.deleteThread(config.configurable?.thread_id);
  },
};

afterAll(async () => {
  await Promise.all(savers.map((saver) => saver.end()));
  await (await database).drop();
});

validate(checkpointer);
// LangGraph has delta channels from 1.4 on.
if ("DeltaSnapshot" in checkpoints) deltaChannelHistoryTests(checkpointer);
