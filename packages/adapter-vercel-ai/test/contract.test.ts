import { adapterContract, type ContractAgent } from "@holdfast/core/testing";
import { freshDatabase } from "../../../test/fresh-database.ts";
import { requestInput, withDurability } from "../src/index.ts";
import { ScriptedModel } from "./scripted-model.ts";
import { stepCount, versions } from "./versions.ts";

(globalThis as { AI_SDK_LOG_WARNINGS?: boolean }).AI_SDK_LOG_WARNINGS = false;

for (const { name, ai: plain, createProvider } of versions) {
  adapterContract(name, { database: freshDatabase, bench });

  async function bench() {
    const server = new ScriptedModel();
    await server.listen();
    const ai = withDurability(plain as never) as typeof plain;
    let models = 0;
    return {
      agent({ turns, tools, requestInput: asking, prompt = "Go.", system }: ContractAgent) {
        const id = `contract-${name}-${++models}`;
        server.script(id, ...turns);
        const model = createProvider({ name: "scripted", baseURL: server.url, includeUsage: true })(id);
        const options = () => ({
          model,
          prompt,
          ...(system === undefined ? {} : { system }),
          tools: {
            ...Object.fromEntries(
              Object.entries(tools).map(([called, does]) => [
                called,
                ai.tool({ inputSchema: ai.jsonSchema({ type: "object" }), execute: does }),
              ]),
            ),
            ...(asking ? { requestInput: requestInput(asking) } : {}),
          },
          stopWhen: stepCount(plain, 9),
        });
        return {
          run: async () => (await ai.generateText(options())).text as string,
          stream: async () => {
            const result = ai.streamText(options());
            let text = "";
            for await (const part of result.textStream) text += part;
            return text;
          },
          asked: () => server.asked(id).length,
          model,
          heard: () => JSON.stringify(server.asked(id).at(-1)?.messages),
        };
      },
      close: async () => server.close(),
    };
  }
}
