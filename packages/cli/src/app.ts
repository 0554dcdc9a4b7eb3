import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Holdfast, HoldfastError, type HoldfastOptions, openHoldfast } from "@holdfast/core";

/**
 * The user's module. Either it registers its agents on a Holdfast that it is given, opened with its `options`:
 *
 *     export const options = { tools: … };
 *     export default (hf) => { hf.agent("support", …); };
 *
 * or it opens one itself: `export const hf = await openHoldfast(…)`.
 */
interface App {
  readonly default?: unknown;
  readonly options?: HoldfastOptions;
  readonly hf?: unknown;
}

/**
 * Loads the user's module, and gives back the Holdfast its agents are registered on. `more` is for one that is opened here,
 * as far as the module's `options` do not say otherwise. Throws INVALID_ARGUMENT.
 */
export async function loadApp(
  path: string,
  database: string | undefined,
  more: Pick<HoldfastOptions, "migrate" | "log"> = {},
): Promise<Holdfast> {
  const app = (await import(pathToFileURL(resolve(path)).href)) as App;
  const refuse = (why: string) => new HoldfastError("INVALID_ARGUMENT", { argument: `--app ${path}`, why });
  if (app.hf !== undefined) {
    if (app.hf instanceof Holdfast) return withAgents(app.hf, refuse);
    throw refuse("exports an hf that is no Holdfast");
  }
  if (typeof app.default !== "function")
    throw refuse("exports neither a Holdfast as hf, nor a function by default that registers agents on one");
  const hf = await openHoldfast({
    ...more,
    ...app.options,
    ...(database === undefined ? {} : { database }),
  });
  try {
    await app.default(hf);
    return withAgents(hf, refuse);
  } catch (error) {
    await hf.close();
    throw error;
  }
}

function withAgents(hf: Holdfast, refuse: (why: string) => HoldfastError): Holdfast {
  if (hf.agents.length > 0) return hf;
  throw refuse("registers no agent: call hf.agent(…) in it");
}
