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

// #region sigterm
process.once("SIGTERM", () => {
  void hf.close({ graceSeconds: 10 }).then(() => pool.end());
});
// #endregion
