import type pg from "pg";
import { expect, test } from "vitest";
import { freshDatabase } from "../../../test/fresh-database.ts";
import { databaseContract } from "../src/testing/database-contract.ts";
import { useStore } from "./store.ts";

databaseContract("the server behind an address", { database: freshDatabase });

const store = useStore();

test("a connection that served many transactions has as many listeners as after its first", async () => {
  const listeners: number[] = [];
  for (let n = 0; n < 20; n++) {
    const tx = await store.db.begin(60_000);
    listeners.push((tx.client as pg.PoolClient).listenerCount("error"));
    await tx.commit();
  }
  expect(new Set(listeners).size).toBe(1);
});
