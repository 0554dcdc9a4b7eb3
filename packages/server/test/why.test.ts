import { expect, test } from "vitest";
import type { Standing } from "../src/store/standing.ts";
import { whyIn } from "../src/why.ts";
import { aDoubt, aRun, pathOf, useServer } from "./served.ts";

const server = useServer();

const standing = (more: Partial<Standing>): Standing => ({
  status: "running",
  waitingOn: null,
  agent: "support",
  inline: false,
  command: null,
  wakesInSeconds: null,
  quietSeconds: 1,
  owner: "host:1",
  ownerIsAlive: true,
  workersAlive: 1,
  ...more,
});

test.each<[string, Partial<Standing>, RegExp]>([
  ["its owner is dead", { ownerIsAlive: false }, /host:1, is not alive.*takes it over/],
  ["its owner is dead and it is inline", { ownerIsAlive: false, inline: true }, /Call hf\.run/],
  ["it moves", {}, /^It moves/],
  ["it has been quiet", { quietSeconds: 1000 }, /nothing for 17 min/],
  ["its time has not come", { status: "waiting", waitingOn: "timer", wakesInSeconds: 60 }, /goes on in 60 s/],
  ["it is paused", { status: "queued", command: "pause" }, /paused.*resume/],
  [
    "there is no worker",
    { status: "queued", workersAlive: 0 },
    /none that is alive has support.*holdfast worker/,
  ],
  ["workers are busy", { status: "queued" }, /one of the 1 workers that have support/],
  ["nobody has called for it", { status: "waiting", waitingOn: "caller" }, /Call hf\.run/],
  ["it asks", { status: "waiting", waitingOn: "approval" }, /holdfast answer/],
  ["its budget is low", { status: "waiting", waitingOn: "budget" }, /Raise it/],
  ["it is dead", { status: "dead" }, /dead letter.*redrive/],
  ["it has ended", { status: "succeeded" }, /it succeeded/],
])("why says it when %s", (_, more, expected) => {
  const { why, todo } = whyIn(standing(more), [], []);
  expect(`${why} ${todo ?? ""}`).toMatch(expected);
});

test("a call that is under way is named", () => {
  const at = new Date(0);
  const intent = {
    kind: "intent",
    runId: "r",
    seq: 1,
    epoch: 1,
    at,
    step: "s#0",
    name: "s",
    call: "step",
  } as const;
  const { why } = whyIn(standing({}), [{ ...intent, digest: "", effect: "once", key: "k" }], []);
  expect(why).toContain("s is under way");
});

test("the API says why a run waits, and of one that is not there nothing", async () => {
  const { id } = await aDoubt(server.hf);
  expect((await server.get(`${pathOf(id)}/why`)).body.why).toContain("send_wire");
  expect((await server.get(`${pathOf(await aRun(server.hf))}/why`)).body).toEqual({
    why: "It has ended: it succeeded.",
  });
  expect((await server.get("/v1/runs/none/why")).status).toBe(404);
});
