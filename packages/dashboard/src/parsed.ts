/** What a person wrote, as JSON; undefined where it is none. */
export function parsed(text: string): { readonly is: unknown } | undefined {
  try {
    return { is: JSON.parse(text) };
  } catch {
    return undefined;
  }
}
