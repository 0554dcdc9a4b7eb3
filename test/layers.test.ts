import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";

const source = join(import.meta.dirname, "../packages/core/src");

const pureFolders = ["ledger/", "step/", "run/", "policy/", "budget/", "diff/"];
const pureFiles = [
  "errors.ts",
  "json.ts",
  "codec.ts",
  "duration.ts",
  "glob.ts",
  "must.ts",
  "retry.ts",
  "unreachable.ts",
];
const pure = [...pureFolders, ...pureFiles];
const outsideOfPure: Record<string, readonly string[]> = {
  "json.ts": ["node:crypto", "canonicalize"],
  "codec.ts": ["devalue"],
  "diff/difference.ts": ["diff"],
  "duration.ts": ["ms"],
};
const besideStore = [
  "store/",
  "ledger/",
  "budget/",
  "run/status.ts",
  "codec.ts",
  "errors.ts",
  "must.ts",
  "unreachable.ts",
  "json.ts",
];
const framework =
  /^(ai|openai|@ai-sdk|@openai|@langchain|@holdfast\/(vercel-ai|langgraph|openai-agents))(\/|$)/;

const imports = readImports();

test("pure code imports only pure code", () => {
  const bad = imports.filter(
    ({ from, to }) => isIn(from, pure) && !isIn(to, pure) && !outsideOfPure[from]?.includes(to),
  );
  expect(bad).toEqual([]);
});

test("the store imports only the ledger, a few small files, Node, and types of pg", () => {
  const bad = imports
    .filter(({ from }) => isIn(from, ["store/"]))
    .filter(({ to, type }) => !isIn(to, besideStore) && !to.startsWith("node:") && !(to === "pg" && type));
  expect(bad).toEqual([]);
});

test("nothing outside testing/ imports testing/", () => {
  expect(imports.filter(({ from, to }) => !isIn(from, ["testing/"]) && isIn(to, ["testing/"]))).toEqual([]);
});

test("no file in core imports a framework or an adapter", () => {
  expect(
    imports.filter(
      ({ to }) => framework.test(to) || /(^|\/)adapter-(langgraph|openai-agents|vercel-ai)/.test(to),
    ),
  ).toEqual([]);
});

test("the rules above have read core's files", () => {
  expect(imports.length).toBeGreaterThan(0);
});

/** Both ends as paths inside src: "store/lease.ts" imports "errors.ts"; a package keeps its name. Types count too. */
function readImports(): { from: string; to: string; type: boolean }[] {
  const files = readdirSync(source, { recursive: true, encoding: "utf8" }).map((file) =>
    file.replaceAll("\\", "/"),
  );
  return files
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
    .flatMap((from) => {
      const text = readFileSync(join(source, from), "utf8");
      return ts.preProcessFile(text, true, true).importedFiles.map(({ fileName, pos }) => ({
        from,
        to: fileName.startsWith(".") ? posix.join(posix.dirname(from), fileName) : fileName,
        type: /\b(import|export) type\b[^;]*$/.test(text.slice(0, pos)),
      }));
    });
}

/** Places are folders ("store/") and files at the top ("json.ts"). */
function isIn(file: string, places: readonly string[]): boolean {
  return places.some((place) => (place.endsWith("/") ? file.startsWith(place) : file === place));
}
