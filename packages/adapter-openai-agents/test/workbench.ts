import type { HoldfastOptions } from "@holdfast/core";
import { modelServer, workbench as open } from "../../../test/workbench.ts";
import type { Asked, Turn } from "../../adapter-vercel-ai/test/scripted-model.ts";
import type { Version } from "./versions.ts";

export { newRunId } from "../../../test/workbench.ts";

/** A database, scripted models, and Holdfasts on the database, for the tests of one file. */
export function workbench(options: HoldfastOptions = {}) {
  const server = modelServer();
  return {
    ...open(options),
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
