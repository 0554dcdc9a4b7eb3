import { expect, test } from "vitest";
import manifest from "../package.json" with { type: "json" };
import { version } from "../src/version.ts";

test("the version that workers are registered with is the package's", () => {
  expect(version).toBe(manifest.version);
});
