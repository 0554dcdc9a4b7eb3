import type { Queryable } from "@holdfast/core";

const COUNT = /* sql */ `
with ended as (
  select date_trunc('minute', finished_at) as at, status
    from holdfast.runs
   where finished_at >= date_trunc('minute', now()) - interval '59 minutes'
     and pruned_at is null
)
select minute as at,
       count(*) filter (where status = 'succeeded')::int as succeeded,
       count(*) filter (where status = 'failed')::int    as failed,
       count(*) filter (where status = 'cancelled')::int as cancelled,
       count(*) filter (where status = 'dead')::int      as dead
  from generate_series(date_trunc('minute', now()) - interval '59 minutes', date_trunc('minute', now()), '1 minute') as minute
  left join ended on ended.at = minute
 group by minute
 order by minute`;

/** Runs that ended in a minute, by how. */
export interface Minute {
  readonly at: Date;
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly dead: number;
}

/** The last sixty minutes, the current one last. */
export async function getThroughput(db: Queryable): Promise<Minute[]> {
  return (await db.query<Minute>(COUNT)).rows;
}
