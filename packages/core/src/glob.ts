const globs = new Map<string, RegExp>();

/** Does the name fit the pattern? `*` stands for any characters, `?` for one. */
export function fits(pattern: string, name: string): boolean {
  let made = globs.get(pattern);
  if (!made) {
    const source = pattern
      .replace(/[.+^${}()|[\]\\]/g, "\\$&")
      .replaceAll("*", ".*")
      .replaceAll("?", ".");
    made = new RegExp(`^${source}$`, "s");
    globs.set(pattern, made);
  }
  return made.test(name);
}
