/** A schema of any library that speaks the standard: zod, valibot, arktype. https://standardschema.dev */
export interface StandardSchema<Output = unknown> {
  readonly "~standard": {
    readonly validate: (value: unknown) => Validated<Output> | PromiseLike<Validated<Output>>;
    /** Its JSON Schema, where the library gives one. https://standardschema.dev/json-schema */
    readonly jsonSchema?: { readonly input: (options: { readonly target: string }) => unknown } | undefined;
  };
}

type Validated<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly Issue[] };

interface Issue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** The value as the schema gives it back, or why it does not fit. */
export async function validate<T>(
  schema: StandardSchema<T>,
  value: unknown,
): Promise<{ readonly ok: true; readonly value: T } | { readonly ok: false; readonly why: string }> {
  const validated = await schema["~standard"].validate(value);
  if (validated.issues === undefined) return { ok: true, value: validated.value };
  return { ok: false, why: validated.issues.map(told).join("; ") };
}

function told({ message, path = [] }: Issue): string {
  const keys = path.map((segment) => String(typeof segment === "object" ? segment.key : segment));
  return keys.length > 0 ? `${keys.join(".")}: ${message}` : message;
}

/** For people, and for whoever builds them a form: undefined where the schema's library does not tell it. */
export function jsonSchemaOf(schema: StandardSchema): unknown {
  try {
    return schema["~standard"].jsonSchema?.input({ target: "draft-2020-12" });
  } catch {
    return undefined; // there are schemas that no JSON Schema can say
  }
}
