// #region test
import { replayFixture } from "@holdfast/core/testing";
import { test } from "vitest";
import { answer } from "./support.ts";

test("run order-42 follows its record", async () => {
  await replayFixture(new URL("./order-42.jsonl", import.meta.url), answer);
});
// #endregion
