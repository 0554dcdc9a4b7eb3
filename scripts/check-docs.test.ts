import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

const script = join(import.meta.dirname, "check-docs.ts");
const example = [
  "import { open } from 'x';",
  "async function main() {",
  "  // #region open",
  "  const hf = await open();",
  "  // #region inner",
  "  hf.close();",
  "  // #endregion",
  "  // #endregion",
  "}",
].join("\n");
const shown = [
  "<!-- examples/docs/first.ts#open -->",
  "```ts",
  "const hf = await open();",
  "hf.close();",
  "```",
];

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "holdfast-docs-"));
  put("examples/docs/first.ts", example);
});
afterEach(() => rmSync(folder, { recursive: true }));

test("a block that is its region, dedented, is in order", () => {
  put("README.md", shown.join("\n"));
  expect(check()).toEqual({ status: 0, complaints: [] });
});

test.each([
  ["that differs from its region", ["x", ...shown.with(3, "hf.open();")], "README.md:3: differs"],
  ["that does not say where it is from", shown.slice(1), "README.md:1: the line above"],
  [
    "of a region that is not there",
    shown.with(0, "<!-- examples/docs/first.ts#shut -->"),
    'no region "shut"',
  ],
  ["of a file that is not there", shown.with(0, "<!-- examples/docs/second.ts#open -->"), 'no region "open"'],
  ["in no language", ["```", "what?", "```"], "README.md:1: a block is one of"],
])("a block %s is reported", (_which, page, complaint) => {
  put("README.md", page.join("\n"));
  expect(check()).toEqual({ status: 1, complaints: [expect.stringContaining(complaint)] });
});

test("--write puts the region in place of what stood there, and leaves the rest", () => {
  put("docs/a.md", ["- before", ...shown.with(3, "old").map((line) => `  ${line}`), "after", ""].join("\n"));
  expect(check("--write")).toEqual({ status: 0, complaints: [] });
  expect(readFileSync(join(folder, "docs/a.md"), "utf8")).toBe(
    ["- before", ...shown.map((line) => `  ${line}`), "after", ""].join("\n"),
  );
});

test.each([
  ["to a file that is there", "[a](docs/a.md)", []],
  ["to a heading that is there", "[a](docs/a.md#what-fenced-means)", []],
  ["to another site", "[a](https://example.com/nowhere.md)", []],
  ["in code", "`[a](nowhere.md)`", []],
  ["to a file that is not there", "[a](docs/b.md)", ["README.md:1: docs/b.md leads nowhere"]],
  ["to a heading that is not there", "[a](docs/a.md#b)", ["README.md:1: docs/a.md has no heading #b"]],
  ["defined below its text", "[a]: docs/b.md", ["README.md:1: docs/b.md leads nowhere"]],
])("a link %s", (_which, page, complaints) => {
  put("docs/a.md", "## What `FENCED` means?\n");
  put("README.md", page);
  expect(check()).toEqual({ status: complaints.length, complaints });
});

function put(path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

function check(...options: string[]): { status: number | null; complaints: string[] } {
  const { status, stderr } = spawnSync(process.execPath, [script, ...options], {
    cwd: folder,
    encoding: "utf8",
  });
  return { status, complaints: stderr.split("\n").filter((line) => line !== "") };
}
