import { openHoldfast, step } from "@holdfast/core";
import { expect, test } from "vitest";
import { newId, useServer } from "./served.ts";

const server = useServer();

test("where nobody listens, nothing is hinted at", async () => {
  const own = await openHoldfast({ database: server.database, leaseSeconds: 1 });
  const { db } = await own.opened();
  const sent: string[] = [];
  const query = db.query.bind(db);
  db.query = ((text: string, values?: never[]) => {
    sent.push(text);
    return query(text, values);
  }) as typeof db.query;
  for (let i = 0; i < 20; i++) await own.run(newId(), () => step("look", () => 1, { effect: "idempotent" }));
  expect(sent.filter((text) => text.includes("holdfast_moved"))).toEqual([]);
  await own.close();
});

test("what another process appends is hinted at, from its next beat on, as long as somebody listens", async () => {
  const elsewhere = await openHoldfast({ database: server.database, leaseSeconds: 1 });
  const work = () => step("look", () => 1, { effect: "idempotent" });
  let heard = 0;
  const listening = Promise.withResolvers<void>();
  const stop = await server.hf.onMoved(() => {
    heard++;
    listening.resolve();
  });
  await listening.promise; // it is heard once there is a session that listens: what came before is found by looking
  await server.hf.run(newId(), () => 1);
  const before = heard;
  while (heard === before) await elsewhere.run(newId(), work);
  expect(heard).toBeGreaterThan(before);
  stop();
  await elsewhere.close();
});
