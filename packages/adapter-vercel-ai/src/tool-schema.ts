import type { Checked, Governed } from "@holdfast/core";

/** What policy needs to know of a tool: what arguments it takes. Read from its schema, as the SDK reads it. */
export function governedBy(inputSchema: unknown): Pick<Governed, "check" | "schema"> {
  if (inputSchema === undefined || inputSchema === null) return {};
  return { check: (input) => check(inputSchema, input), schema: () => jsonSchemaOf(inputSchema) };
}

/** A schema of the SDK's own, as `jsonSchema()` makes it. */
interface SdkSchema {
  readonly jsonSchema?: unknown;
  readonly validate?: ((value: unknown) => Validated | PromiseLike<Validated>) | undefined;
}

type Validated =
  | { readonly success: true; readonly value: unknown }
  | { readonly success: false; readonly error: unknown };

/** zod's, and that of every library that speaks https://standardschema.dev. */
interface Standard {
  readonly "~standard": {
    readonly validate: (value: unknown) => StandardResult | PromiseLike<StandardResult>;
    readonly jsonSchema?: { readonly input: (options: { readonly target: string }) => unknown };
  };
}

interface StandardResult {
  readonly value?: unknown;
  readonly issues?: readonly { readonly message: string }[] | undefined;
}

async function check(schema: unknown, input: unknown): Promise<Checked> {
  if (isStandard(schema)) {
    const { value, issues } = await schema["~standard"].validate(input);
    if (!issues) return { ok: true, input: value };
    return { ok: false, why: issues.map(({ message }) => message).join("; ") };
  }
  const validated = await sdkSchemaOf(schema).validate?.(input);
  if (!validated) return { ok: true, input };
  return validated.success
    ? { ok: true, input: validated.value }
    : { ok: false, why: String((validated.error as { message?: unknown }).message ?? validated.error) };
}

async function jsonSchemaOf(schema: unknown): Promise<unknown> {
  if (!isStandard(schema)) return await sdkSchemaOf(schema).jsonSchema;
  return schema["~standard"].jsonSchema?.input({ target: "draft-2020-12" });
}

const isStandard = (schema: unknown): schema is Standard =>
  (schema as Partial<Standard>)["~standard"] !== undefined;

/** From ai 6 on a schema may be a function that makes it. */
const sdkSchemaOf = (schema: unknown): SdkSchema =>
  (typeof schema === "function" ? schema() : schema) as SdkSchema;
