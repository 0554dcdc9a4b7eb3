/** The value, which the code before has made sure of. Throws where that was wrong: a bug, not an outcome. */
export function must<T>(value: T | undefined | null, what: string): T {
  if (value === undefined || value === null) throw new Error(`missing: ${what}`);
  return value;
}
