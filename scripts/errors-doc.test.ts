import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..");

test("every error code has its heading in docs/reference/errors.md, in the order of errors.ts, and no other has", () => {
  const page = readFileSync(join(root, "docs/reference/errors.md"), "utf8");
  const headings = [...page.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading);
  expect(codes()).toContain("FENCED");
  expect(headings).toEqual(codes());
});

/** The members of the interface ErrorDetails. */
function codes(): string[] {
  const file = join(root, "packages/core/src/errors.ts");
  const source = ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.Latest);
  const details = source.statements.find(
    (statement) => ts.isInterfaceDeclaration(statement) && statement.name.text === "ErrorDetails",
  ) as ts.InterfaceDeclaration;
  return details.members.map((member) => (member.name as ts.Identifier).text);
}
