import { openHoldfast } from "@holdfast/core";
import pg from "pg";

// #region migrate
const migrating = await openHoldfast({ database: process.env.MIGRATION_DATABASE_URL });
await migrating.close();
// #endregion

// #region check-only
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 20 });
const hf = await openHoldfast({ database: pool, migrate: false });
// #endregion

// #region prune
const pruning = await openHoldfast({ database: process.env.MIGRATION_DATABASE_URL, migrate: false });
const forgotten = await pruning.prune({ olderThan: "90d", status: ["succeeded"] });
await pruning.close();
// #endregion
console.log(forgotten);

// #region sigterm
process.once("SIGTERM", () => {
  void hf.close({ graceSeconds: 10 }).then(() => pool.end());
});
// #endregion
