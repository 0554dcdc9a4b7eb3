import { replayFixture } from "@holdfast/core/testing";
import { test } from "vitest";
import { answer } from "../src/support.ts";

test("run broken-kettle follows its record", async () => {
  await replayFixture(new URL("./broken-kettle.jsonl", import.meta.url), answer);
});
