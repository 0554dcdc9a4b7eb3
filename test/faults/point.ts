/** Which statements are a run's: what a beat sends comes when it comes, and would make the count shift. */
export const ofTheRun = (text: string) => !text.includes("with dead as") && !text.includes("leased_by = $1");

export interface Point {
  readonly at: number;
  readonly when: "before" | "after";
}

/** A death before and after each of so many statements. */
export const pointsOf = (statements: number): Point[] =>
  Array.from({ length: statements }, (_, i) =>
    (["before", "after"] as const).map((when) => ({ at: i + 1, when })),
  ).flat();
