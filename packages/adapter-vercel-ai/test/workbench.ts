import type { HoldfastOptions } from "@holdfast/core";
import { modelServer, workbench as open } from "../../../test/workbench.ts";
import type { Asked, Turn } from "./scripted-model.ts";
import type { Version } from "./versions.ts";

export { newRunId } from "../../../test/workbench.ts";

(globalThis as { AI_SDK_LOG_WARNINGS?: boolean }).AI_SDK_LOG_WARNINGS = false;

/** A database, scripted models, and Holdfasts on the database, for the tests of one file. */
export function workbench(options: HoldfastOptions = {}) {
  const server = modelServer();
  return {
    ...open(options),
    /** A model of a name of its own that says these turns. */
    model: ({ createProvider }: Pick<Version, "createProvider">, ...turns: readonly Turn[]) => {
      const id = `scripted-${crypto.randomUUID()}`;
      server.script(id, ...turns);
      const model = createProvider({ name: "scripted", baseURL: server.url, includeUsage: true })(id);
      return { model, id, asked: (): readonly Asked[] => server.asked(id) };
    },
  };
}
