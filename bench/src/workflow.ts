import { randomBytes } from "node:crypto";
import { DBOS } from "@dbos-inc/dbos-sdk";

/** The agent of ./agent.ts as a workflow of DBOS: each model call a step, and each tool with a result of 4 KB. */
const workflow = DBOS.registerWorkflow(
  async (turns: number) => {
    for (let turn = 0; turn < turns; turn++) {
      await DBOS.runStep(async () => ({ toolCallId: `call-${turn}`, toolName: "look", input: { turn } }), {
        name: "model",
      });
      await DBOS.runStep(async () => ({ turn, text: randomBytes(3072).toString("base64") }), {
        name: "look",
      });
    }
  },
  { name: "turns" },
);

export async function workflowOn(database: string) {
  DBOS.setConfig({ name: "bench", systemDatabaseUrl: database, logLevel: "error" });
  await DBOS.launch();
  return { agent: (turns: number) => workflow(turns), close: () => DBOS.shutdown() };
}
