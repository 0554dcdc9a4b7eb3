import { sleep } from "@holdfast/core";
import { beforeAll, expect, test } from "vitest";
import { useCommandLine } from "./line.ts";

const line = useCommandLine();
let broken = true;

beforeAll(async () => {
  line.hf.agent("sleeper", () => sleep("1h"));
  line.hf.agent("breaker", () => {
    if (broken) throw new TypeError("the shop is closed");
    return "done";
  });
  await line.hf.worker().start();
});

test("a run is paused, resumed and cancelled in the name that is said", async () => {
  const { id } = await line.json("start", "sleeper");
  expect((await line.holdfast("pause", id, "--by", "ana")).out).toBe(`Run ${id} is paused, says ana.\n`);
  expect((await line.holdfast("resume", id, "--by", "ana")).exit).toBe(0);
  expect((await line.holdfast("cancel", id, "--by", "ana")).exit).toBe(0);
  expect((await line.holdfast("tail", id)).out).toMatch(/command +cancel +by ana/);
  expect((await line.holdfast("pause", id)).exit).toBe(4);
  expect((await line.holdfast("cancel", "none")).exit).toBe(3);
});

test("dead letters are listed and redriven", async () => {
  const { id } = await line.json("start", "breaker");
  await line.holdfast("tail", id);
  expect((await line.holdfast("dead-letters", "--agent", "breaker")).out).toMatch(
    /breaker +failed.*the shop is closed/,
  );
  broken = false;
  expect((await line.holdfast("redrive", id, "--by", "ana")).exit).toBe(0);
  let status = "";
  while (status !== "succeeded") ({ status } = await line.json("show", id));
  expect((await line.holdfast("dead-letters")).out).toBe("There are none.\n");
  expect((await line.holdfast("redrive", id)).exit).toBe(4);
});
