import { globSync, readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { replayFixture, withoutSockets } from "@holdfast/core/testing";
import { describe, expect, test } from "vitest";
import { agents } from "./agents.ts";
import { frameworks } from "./frameworks/index.ts";
import { scenes } from "./frameworks/scenes.ts";

const nameOf = (file: string) => basename(file, ".jsonl").replaceAll("-", " ");
const filesOf = (pattern: string) => globSync(pattern, { cwd: import.meta.dirname });

/** Replays a file with nothing live, and gives back what came of it. */
async function replayed(file: string, work: (input: { who: string }) => Promise<unknown>): Promise<unknown> {
  const path = `${import.meta.dirname}/${file}`;
  const { value, tried } = await withoutSockets(async () => {
    const [came] = await Promise.allSettled([replayFixture(path, work, { update: false })]);
    return came.status === "rejected" ? String(came.reason) : came.value;
  });
  expect(tried).toBe(0);
  return value;
}

describe("an agent on the port alone", () => {
  const files = filesOf("*/*.jsonl");

  test("has a run of the first version, whichever it is", () => {
    expect(files.filter((file) => file.startsWith("0.1.0/"))).toHaveLength(Object.keys(agents).length);
  });

  test.each(files.map((file) => [nameOf(file), dirname(file), file]))(
    "%s, as version %s wrote it, is replayed to its end",
    async (name, _, file) => {
      const work = agents[name];
      expect(work).toBeDefined();
      const value = await replayed(file, work as NonNullable<typeof work>);
      const fails = readFileSync(`${import.meta.dirname}/${file}`, "utf8").includes('"status":"failed"');
      const isAsRecorded = !String(value).startsWith("AssertionError");
      expect([isAsRecorded, value === "TypeError: it cannot be done"]).toEqual([true, fails]);
    },
  );
});

describe.each(Object.entries(frameworks))("an agent of %s", (framework, { build }) => {
  const files = filesOf(`*/${framework}/*.jsonl`);

  test("has a run of the first version in every scene", () => {
    const names = files.filter((file) => file.startsWith("0.1.0/")).map(nameOf);
    expect(names.sort()).toEqual(Object.keys(scenes).sort());
  });

  test.each(files.map((file) => [nameOf(file), dirname(dirname(file)), file]))(
    "%s, as version %s wrote it, is replayed to the very value, with no call and no socket",
    async (name, _, file) => {
      const scene = scenes[name];
      expect(scene).toBeDefined();
      const work = build(name, scene as NonNullable<typeof scene>, "http://127.0.0.1:1");
      expect(await replayed(file, work)).toBe(lastWordIn(file));
    },
  );
});

/** The value that the run ended with. */
function lastWordIn(file: string): unknown {
  const lines = readFileSync(`${import.meta.dirname}/${file}`, "utf8")
    .trim()
    .split("\n");
  const outcome = lines.map((line) => JSON.parse(line)).find(({ kind }) => kind === "outcome");
  return outcome?.value;
}
