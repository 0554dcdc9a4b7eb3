/** A tool as a provider's request tells of it: of OpenAI (chat, responses), Anthropic, or Google, which lists several. */
interface Told {
  readonly name?: unknown;
  readonly parameters?: unknown;
  readonly input_schema?: unknown;
  readonly function?: Told;
  readonly functionDeclarations?: readonly Told[];
}

/**
 * The tools that a request tells the model of, by name, with the JSON Schemas of their arguments. Undefined where there are
 * none, or one in a shape that is not known: then nothing can be said of a name that is not among them.
 */
export function toldTools(params: unknown): ReadonlyMap<string, unknown> | undefined {
  const { tools } = (params ?? {}) as { tools?: unknown };
  if (!Array.isArray(tools) || tools.length === 0) return undefined;
  const told = new Map<string, unknown>();
  for (const tool of tools as readonly Told[]) {
    const functions = tool?.functionDeclarations ?? [tool?.function ?? tool];
    for (const each of functions) {
      if (typeof each?.name !== "string") return undefined;
      const schema = each.parameters ?? each.input_schema;
      told.set(each.name, isJsonSchema(schema) ? schema : undefined);
    }
  }
  return told;
}

/** Google's are written otherwise: `OBJECT`. */
const isJsonSchema = (schema: unknown): boolean =>
  (schema as { type?: unknown } | undefined)?.type === "object";
