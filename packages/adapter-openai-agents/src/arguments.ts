/** Arguments as the model wrote them, as data where they are JSON. */
export function parsed(input: unknown): unknown {
  try {
    return JSON.parse(String(input));
  } catch {
    return input;
  }
}

interface Named {
  readonly name?: unknown;
  readonly namespace?: unknown;
}

/** A tool's name. Those of a namespace are told from others of their name by it. */
export const toolName = ({ name, namespace }: Named): string =>
  typeof namespace === "string" && namespace !== name ? `${namespace}.${String(name)}` : String(name);
