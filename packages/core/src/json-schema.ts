import { type Schema, Validator } from "@cfworker/json-schema";

/** Why a value does not fit a JSON Schema (draft 2020-12), or undefined where it does, or where the schema is none. */
export function whyNotFits(schema: unknown, value: unknown): string | undefined {
  if (typeof schema !== "object" || schema === null) return undefined;
  const said = validate(schema as Schema, value);
  if (!said || said.valid) return undefined;
  const { errors } = said;
  const [last] = errors.slice(-1);
  return last ? `does not fit: ${last.instanceLocation} ${last.error}` : "does not fit";
}

/** Undefined where the schema itself cannot be read. */
function validate(schema: Schema, value: unknown) {
  try {
    return new Validator(schema, "2020-12").validate(value);
  } catch {
    return undefined;
  }
}
