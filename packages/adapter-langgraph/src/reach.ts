import { createRequire } from "node:module";
import { isAbsolute } from "node:path";
import { pathToFileURL } from "node:url";
import { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { RunnableToolLike } from "@langchain/core/runnables";
import { StructuredTool } from "@langchain/core/tools";
import { type Core, holdCore } from "./hold-core.ts";

const MODULES = ["language_models/chat_models", "tools", "runnables"].map(
  (name) => `@langchain/core/${name}`,
);

/** A copy of @langchain/core that is installed where a program may find it, by its CommonJS build. */
interface Copy {
  readonly require: NodeJS.Require;
  readonly paths: readonly string[];
}

/** Holds what the copy of @langchain/core that we import ourselves calls out. */
export const holdOwnCore = (): void => holdCore({ BaseChatModel, StructuredTool, RunnableToolLike });

/** Copies whose CommonJS build nothing has loaded yet. Undefined until they are looked for, once in a process. */
let unloaded: Copy[] | undefined;
/** Resolves once the ESM builds of all copies are held. */
let imported: Promise<unknown> | undefined;

/**
 * Holds the other copies too that a program may have: its ESM and its CommonJS build are different classes, and the
 * program may find another one than we do. A copy that nothing has loaded yet is loaded by this, unless it is CommonJS:
 * of that each call looks whether it has been loaded since.
 */
export async function holdOtherCores(): Promise<void> {
  unloaded ??= findCopies();
  imported ??= Promise.all(
    unloaded.map(async ({ paths }) => hold(await Promise.all(paths.map(importBeside)))),
  );
  const loaded = unloaded.filter(({ require, paths }) => paths.some((path) => require.cache[path]));
  if (loaded.length > 0) unloaded = unloaded.filter((copy) => !loaded.includes(copy));
  for (const { require, paths } of loaded) hold(paths.map((path) => require(path)));
  await imported;
}

function findCopies(): Copy[] {
  const [, program] = process.argv;
  const places = [import.meta.url, ...(program !== undefined && isAbsolute(program) ? [program] : [])];
  const copies = new Map<string, Copy>();
  for (const place of places) {
    const require = createRequire(place);
    const paths = MODULES.flatMap((name) => resolve(require, name) ?? []);
    const [first] = paths;
    if (first !== undefined && paths.length === MODULES.length) copies.set(first, { require, paths });
  }
  return [...copies.values()];
}

function resolve(require: NodeJS.Require, name: string): string | undefined {
  try {
    return require.resolve(name);
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
