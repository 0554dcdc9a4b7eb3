import { replayFixture } from "@holdfast/core/testing";
import { test } from "vitest";
import { answer } from "../src/support.ts";

test("run late-kettle follows its record", async () => {
  await replayFixture(new URL("./late-kettle.jsonl", import.meta.url), answer);
});
