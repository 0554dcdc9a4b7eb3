import { globSync, readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { replayFixture, withoutSockets } from "@holdfast/core/testing";
import { expect, test } from "vitest";
import { agents } from "./agents.ts";

const files = globSync("*/*.jsonl", { cwd: import.meta.dirname });

test("every agent has a run of the first version", () => {
  expect(files.filter((file) => file.startsWith("0.1.0/"))).toHaveLength(Object.keys(agents).length);
});

test.each(files.map((file) => [basename(file, ".jsonl").replaceAll("-", " "), dirname(file), file]))(
  "%s, as version %s wrote it, is replayed to its end",
  async (name, _, file) => {
    const path = `${import.meta.dirname}/${file}`;
    const work = agents[name];
    expect(work).toBeDefined();
    const replaying = withoutSockets(async () => {
      const [came] = await Promise.allSettled([
        replayFixture(path, work as NonNullable<typeof work>, { update: false }),
      ]);
      return came.status === "rejected" ? String(came.reason) : came.value;
    });
    const { value, tried } = await replaying;
    expect(tried).toBe(0);
    const fails = readFileSync(path, "utf8").includes('"status":"failed"');
    const isAsRecorded = !String(value).startsWith("AssertionError");
    expect([isAsRecorded, value === "TypeError: it cannot be done"]).toEqual([true, fails]);
  },
);
