import { adapterContract, type ContractAgent } from "@holdfast/core/testing";
import { freshDatabase } from "../../../test/fresh-database.ts";
import { ScriptedModel } from "../../adapter-vercel-ai/test/scripted-model.ts";
import { requestInput, withDurability } from "../src/index.ts";
import { versions } from "./versions.ts";

const REUSED = "the SDK refuses an answer that uses a tool call id again, before anything is called";

for (const { name, sdk, refusesReusedIds } of versions) {
  const skip = refusesReusedIds
    ? {
        "a changed input diverges": REUSED,
        "a tool call id that a later turn uses again is another call": REUSED,
      }
    : {};
  adapterContract(name, { database: freshDatabase, bench, skip });

  async function bench() {
    const server = new ScriptedModel();
    await server.listen();
    withDurability(sdk.Runner);
    const modelProvider = new sdk.OpenAIProvider({
      apiKey: "none",
      baseURL: server.url,
      useResponses: false,
    });
    const runner = new sdk.Runner({ modelProvider });
    let models = 0;
    return {
      agent({ turns, tools, requestInput: asking, prompt = "Go.", system }: ContractAgent) {
        const model = `contract-${++models}`;
        server.script(model, ...turns);
        const agent = new sdk.Agent({
          name: "Contract",
          model,
          ...(system === undefined ? {} : { instructions: system }),
          tools: [
            ...Object.entries(tools).map(([called, does]) =>
              sdk.tool({
                name: called,
                description: called,
                strict: false,
                parameters: { type: "object", properties: {}, required: [], additionalProperties: true },
                execute: does,
              }),
            ),
            ...(asking ? [requestInput(asking)] : []),
          ],
        });
        return {
          run: async () => (await runner.run(agent, prompt)).finalOutput as string,
          stream: async () => {
            const result = await runner.run(agent, prompt, { stream: true });
            let text = "";
            for await (const part of result.toTextStream()) text += part;
            return text;
          },
          asked: () => server.asked(model).length,
          model,
          heard: () => JSON.stringify(server.asked(model).at(-1)?.messages),
        };
      },
      close: async () => server.close(),
    };
  }
}
