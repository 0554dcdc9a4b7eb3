import { type Schema, Validator } from "@cfworker/json-schema";

/** Why a value does not fit a JSON Schema (draft 2020-12), or undefined where it does, or where the schema is none. */
export function whyNotFits(schema: unknown, value: unknown): string | undefined {
  if (typeof schema !== "object" || schema === null) return undefined;
  const { valid, errors } = new Validator(schema as Schema, "2020-12").validate(value);
  if (valid) return undefined;
  const [last] = errors.slice(-1);
  return last ? `does not fit: ${last.instanceLocation} ${last.error}` : "does not fit";
}
