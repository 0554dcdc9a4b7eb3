import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { RunnableToolLike } from "@langchain/core/runnables";
import { StructuredTool } from "@langchain/core/tools";
import { type Core, holdCore } from "./hold-core.ts";

const MODULES = ["language_models/chat_models", "tools", "runnables"].map(
  (name) => `@langchain/core/${name}`,
);

/** Holds what the copy of @langchain/core that we import ourselves calls out. */
export const holdOwnCore = (): void => holdCore({ BaseChatModel, StructuredTool, RunnableToolLike });

/**
 * Holds the other copies too that a program may have: its ESM and its CommonJS build are different classes, and the
 * program may find another one than we do. A copy that nothing has loaded yet is loaded by this, unless it is CommonJS.
 */
export async function holdOtherCores(): Promise<void> {
  for (const from of [import.meta.url, process.argv[1]]) {
    const require = from === undefined ? undefined : createRequire(from);
    const paths = MODULES.map((name) => resolve(require, name));
    if (!paths.every((path) => path !== undefined)) continue;
    if (paths.some((path) => require?.cache[path])) hold(paths.map((path) => require?.(path)));
    hold(await Promise.all(paths.map(importBeside)));
  }
}

function resolve(require: NodeJS.Require | undefined, name: string): string | undefined {
  try {
    return require?.resolve(name);
  } catch {
    return undefined; // it has none
  }
}

/** The ESM build stands beside the CommonJS one. */
const importBeside = (path: string): Promise<unknown> =>
  import(pathToFileURL(path.replace(/\.cjs$/, ".js")).href).catch(() => undefined);

function hold(modules: readonly unknown[]): void {
  const core = Object.assign({}, ...modules) as Partial<Core>;
  if (core.BaseChatModel && core.StructuredTool && core.RunnableToolLike) holdCore(core as Core);
}
