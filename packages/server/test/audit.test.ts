import { expect, test } from "vitest";
import { aRun, pathOf, useServer } from "./served.ts";

const server = useServer();
const deeds = async (query = "") => (await server.get(`/v1/audit${query}`)).body;

test("who forgets runs, and who puts and ends schedules, is told once it is done, and only then", async () => {
  server.hf.agent("one", () => 1);
  const schedule = { body: { cron: "0 3 * * *", agent: "one" }, as: "operator" } as const;
  await server.ask("PUT", "/v1/schedules/nightly", schedule);
  await server.ask("PUT", "/v1/schedules/nightly", schedule); // says what is there
  await server.ask("PUT", "/v1/schedules/nightly", { body: { cron: "whenever", agent: "one" } });
  await server.ask("DELETE", "/v1/schedules/nightly", { as: "operator" });
  await server.ask("DELETE", "/v1/schedules/nightly");
  await server.post("/v1/prune", { olderThan: "0s" }); // there is nothing to forget
  const id = await aRun(server.hf);
  await server.ask("DELETE", pathOf(id), { as: "operator" });
  await server.ask("DELETE", pathOf(id));
  await aRun(server.hf);
  await server.post("/v1/prune", { olderThan: "0s", status: ["succeeded"] });

  const all = await deeds();
  expect(all.deeds).toMatchObject([
    { by: "ana", did: "prune", about: { olderThanSeconds: 0, status: ["succeeded"] } },
    { by: "operator", did: "delete", about: { runId: id } },
    { by: "operator", did: "unschedule", about: { name: "nightly" } },
    { by: "operator", did: "schedule", about: { name: "nightly", cron: "0 3 * * *", agent: "one" } },
  ]);
  expect(all.deeds).toHaveLength(4);
  const first = await deeds("?limit=3");
  expect((await deeds(`?limit=3&cursor=${first.cursor}`)).deeds).toEqual(all.deeds.slice(3));
  expect((await server.get("/v1/audit?cursor=-1")).status).toBe(400);
});

test("nobody changes what the audit says, the owner neither", async () => {
  const { db } = await server.hf.opened();
  for (const sql of [
    "update holdfast.audit set by = 'nobody'",
    "delete from holdfast.audit",
    "truncate holdfast.audit",
    "delete from holdfast.audit where set_config('holdfast.pruning', 'on', true) = 'on'",
  ])
    await expect(db.query(sql)).rejects.toMatchObject({ code: "HF001" });
});

test("runs that ended are counted by minute and by how, without those that were pruned", async () => {
  const { db } = await server.hf.opened();
  await server.post("/v1/prune", { olderThan: "0s" });
  const ids = [await aRun(server.hf), await aRun(server.hf), await aRun(server.hf), await aRun(server.hf)];
  await server.hf.run("failed", () => Promise.reject(new Error("no"))).catch(() => {});
  const endedBefore = async (minutes: number, id = "") =>
    await db.query(
      `update holdfast.runs
          set finished_at = date_trunc('minute', now()) - make_interval(mins => $2) + interval '1 second'
        where run_id = $1`,
      [id, minutes],
    );
  await endedBefore(0, ids[0]);
  await endedBefore(0, "failed");
  await endedBefore(7, ids[1]);
  await endedBefore(59, ids[2]);
  await endedBefore(60, ids[3]);
  const { minutes } = (await server.get("/v1/throughput")).body;
  expect(minutes).toHaveLength(60);
  const none = { succeeded: 0, failed: 0, cancelled: 0, dead: 0 };
  expect(minutes[59]).toMatchObject({ ...none, succeeded: 1, failed: 1 });
  expect(minutes[52]).toMatchObject({ ...none, succeeded: 1 });
  expect(minutes[0]).toMatchObject({ ...none, succeeded: 1 });
  expect(minutes[1]).toEqual({ ...none, at: minutes[1].at });
});
