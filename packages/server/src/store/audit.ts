import type { Queryable } from "@holdfast/core";

const LIST = /* sql */ `
select deed, at, by, did, about::json as about
  from holdfast.audit
 where ($1::bigint is null or deed < $1)
 order by deed desc
 limit $2`;

/** What somebody did that stands in no run's ledger. */
export interface Deed {
  readonly at: Date;
  readonly by: string;
  readonly did: "prune" | "delete" | "schedule" | "unschedule";
  readonly about: Readonly<Record<string, unknown>>;
}

export interface Deeds {
  readonly deeds: readonly Deed[];
  /** Asks for the next page. Undefined on the last. */
  readonly cursor: string | undefined;
}

/** The newest first. `cursor` is one that a page ended with. */
export async function listDeeds(
  db: Queryable,
  { limit = 50, cursor }: { limit?: number | undefined; cursor?: string | undefined } = {},
): Promise<Deeds> {
  const { rows } = await db.query<Deed & { deed: string }>(LIST, [cursor ?? null, limit + 1]);
  const page = rows.slice(0, limit);
  const next = rows.length > limit ? page.at(-1)?.deed : undefined;
  return { deeds: page.map(({ deed: _deed, ...deed }) => deed), cursor: next };
}
