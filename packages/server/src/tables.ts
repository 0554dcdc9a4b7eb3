import type { Holdfast, TablesDatabase } from "@holdfast/core";
import { migrations } from "./store/migrations.generated.ts";

/** Brings the server's own tables up to date, or only checks them where the Holdfast was opened with `migrate: false`. */
export const serverTables = (hf: Holdfast): Promise<TablesDatabase> =>
  hf.tables({ package: "@holdfast/server", migrations });

/** The server's tables, looked at when they are first needed, and again as long as that fails. */
export function lazyTables(hf: Holdfast): () => Promise<TablesDatabase> {
  let tables: Promise<TablesDatabase> | undefined;
  return async () => {
    tables ??= serverTables(hf);
    try {
      return await tables;
    } catch (error) {
      tables = undefined;
      throw error;
    }
  };
}
