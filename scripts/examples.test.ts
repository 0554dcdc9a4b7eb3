import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";

const read = (...path: string[]) => readFileSync(join(...path), "utf8").split("\n");

/** The lines of one file that another one does not have. */
const without = (lines: readonly string[], others: readonly string[]) =>
  lines.filter((line) => !others.includes(line));

test.each(globSync("examples/*/src/durable.ts").map((file) => [dirname(dirname(file))]))(
  "%s is its plain version with at most three lines changed, those that its README shows",
  (example) => {
    const [plain, durable] = [read(example, "src/plain.ts"), read(example, "src/durable.ts")];
    const [gone, added] = [without(plain, durable), without(durable, plain)];
    expect(added.length).toBeLessThanOrEqual(3);
    expect(gone.length).toBeLessThanOrEqual(added.length);
    const shown = read(example, "README.md");
    expect(shown.filter((line) => /^[+-]/.test(line)).toSorted()).toEqual(
      [...gone.map((line) => `-${line}`), ...added.map((line) => `+${line}`)].toSorted(),
    );
  },
);
