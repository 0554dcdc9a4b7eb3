import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

const script = join(import.meta.dirname, "inline-sql.ts");
const awkward = "select `a`, '\\n', $${x}$$;\n";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "holdfast-sql-"));
  mkdirSync(join(folder, "packages/core/sql"), { recursive: true });
  mkdirSync(join(folder, "packages/core/src/store"), { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true }));

test("the generated module says exactly what the SQL files say", async () => {
  put("0001-ledger.sql", "select 1;\n");
  put("0002-odd-names.sql", awkward);
  inline();
  const { migrations } = await import(join(folder, "packages/core/src/store/migrations.generated.ts"));
  expect(migrations).toEqual([
    { version: 1, name: "ledger", sql: "select 1;\n", checksum: sha256("select 1;\n") },
    { version: 2, name: "odd-names", sql: awkward, checksum: sha256(awkward) },
  ]);
});

test("--check fails once the SQL has changed, until it is inlined again", () => {
  put("0001-ledger.sql", "select 1;\n");
  inline();
  expect(inline("--check")).toBe(0);
  put("0001-ledger.sql", "select 2;\n");
  expect(inline("--check")).toBe(1);
  inline();
  expect(inline("--check")).toBe(0);
});

test.each([
  ["skips a number", "0003-budgets.sql", "select 1;\n"],
  ["has no number of four digits", "2-budgets.sql", "select 1;\n"],
  ["has carriage returns", "0002-budgets.sql", "select 1;\r\n"],
])("a file that %s is refused", (_which, file, sql) => {
  put("0001-ledger.sql", "select 1;\n");
  put(file, sql);
  expect(inline()).toBe(1);
});

function put(file: string, sql: string): void {
  writeFileSync(join(folder, "packages/core/sql", file), sql);
}

function inline(...options: string[]): number | null {
  return spawnSync(process.execPath, [script, ...options], { cwd: folder }).status;
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
