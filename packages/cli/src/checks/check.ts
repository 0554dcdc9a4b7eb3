/** What one look at the database came to. */
export interface Finding {
  readonly name: string;
  readonly is: "ok" | "warning" | "broken";
  readonly says: string;
  /** What to do, where it is not ok. */
  readonly todo?: string;
}
