import { openHoldfast } from "@holdfast/core";
import { crashing } from "@holdfast/core/testing";
import pg from "pg";

declare const work: () => Promise<string>;

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL });

// #region crashing
const crash = crashing(pool, { at: 12, when: "after" });
const dying = await openHoldfast({ database: crash.pool, migrate: false });
await dying.run("order-42", work).catch((error) => {
  if (!crash.isDead) throw error;
});
await dying.close({ graceSeconds: 0 }); // its session lock is gone, as with a process

const next = await openHoldfast({ database: pool });
await next.run("order-42", work);
// #endregion
await next.close();
