import { expect, test } from "vitest";
import { chaos } from "./chaos.ts";

test("processes that are killed, stopped and continued, and a database that is restarted, cost no run and repeat no effect", async () => {
  const account = await chaos({ seconds: 12, runs: 40, workers: 3, leaseSeconds: 2, killEveryMs: 1_500 });
  expect(account.broken).toEqual([]);
  expect(account).toMatchObject({ runs: 40, succeeded: 40, wires: 120, refundKeys: 120, restarts: 1 });
  expect(account.kills).toBeGreaterThan(0);
  expect(account.stops).toBeGreaterThan(0);
  expect(account.crashes).toBeGreaterThan(0);
}, 180_000);
