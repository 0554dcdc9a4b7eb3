import { HoldfastError } from "./errors.ts";
import type { Effect } from "./ledger/entry.ts";

/** What is declared of a tool, by its name or a glob. */
export interface ToolSettings {
  /** How much harm a repeat does. Default `once`: never called again on its own. */
  readonly effect?: Effect;
}

/** What a run needs to know of how its Holdfast was opened. */
export interface RunSettings {
  readonly tools: Readonly<Record<string, ToolSettings>>;
  /** A model request that differs from the one on record: use the record and note it, or fail with DRIFTED. */
  readonly drift: "accept" | "fail";
}

/** What is declared of this tool: by its exact name, else by the first glob that fits, in the order of declaration. */
export function settingsOf(tools: RunSettings["tools"], name: string): ToolSettings {
  if (Object.hasOwn(tools, name)) return tools[name] as ToolSettings;
  for (const [pattern, settings] of Object.entries(tools))
    if (globToRegExp(pattern).test(name)) return settings;
  return {};
}

const effects: readonly Effect[] = ["read", "idempotent", "once"];

/** Throws INVALID_ARGUMENT: a declaration that is not understood must not become the default behind one's back. */
export function checkTools(tools: RunSettings["tools"]): void {
  for (const [pattern, settings] of Object.entries(tools)) {
    const argument = `tools["${pattern}"]`;
    if (typeof settings !== "object" || settings === null) {
      throw new HoldfastError("INVALID_ARGUMENT", {
        argument,
        why: 'must be an object such as { effect: "read" }',
      });
    }
    for (const field of Object.keys(settings)) {
      if (field !== "effect")
        throw new HoldfastError("INVALID_ARGUMENT", { argument, why: `has no field ${field}` });
    }
    if (settings.effect !== undefined && !effects.includes(settings.effect)) {
      throw new HoldfastError("INVALID_ARGUMENT", {
        argument,
        why: `has an effect that is none of ${effects.join(", ")}`,
      });
    }
  }
}

const globs = new Map<string, RegExp>();
function globToRegExp(pattern: string): RegExp {
  let made = globs.get(pattern);
  if (!made) {
    const source = pattern
      .replace(/[.+^${}()|[\]\\]/g, "\\$&")
      .replaceAll("*", ".*")
      .replaceAll("?", ".");
    made = new RegExp(`^${source}$`, "s");
    globs.set(pattern, made);
  }
  return made;
}
