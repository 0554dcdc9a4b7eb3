// Keeps the documentation true: every ts or js block in it is a region of a file under examples/docs/, which is
// type-checked, and every relative link leads somewhere.
//
//     <!-- examples/docs/first-run.ts#open -->          // #region open
//     ```ts                                             const hf = await openHoldfast();
//     const hf = await openHoldfast();                  // #endregion
//     ```
//
// --write brings the blocks up to date with the files.

import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

const pagesWithCode = ["README.md", "docs/**/*.md", "packages/*/README.md"];
const pagesWithLinks = [...pagesWithCode, "*.md", "examples/*/README.md"];
const free = new Set(["sh", "text", "sql", "json"]);
const checked = new Set(["ts", "js"]);

const write = process.argv.includes("--write");
const complaints: string[] = [];

for (const page of pages(pagesWithCode)) checkCode(page);
for (const page of pages(pagesWithLinks)) checkLinks(page);
for (const complaint of complaints) console.error(complaint);
process.exitCode = complaints.length === 0 ? 0 : 1;

function checkCode(page: string): void {
  const before = readFileSync(page, "utf8");
  const lines = before.split("\n");
  const written: string[] = [];
  let last = 0;
  for (const block of blocks(lines)) {
    const at = `${page}:${block.start + 1}`;
    if (free.has(block.language)) continue;
    if (!checked.has(block.language)) {
      complaints.push(
        `${at}: a block is one of ${[...checked, ...free].join(", ")}, this is "${block.language}"`,
      );
      continue;
    }
    const source = /^\s*<!-- (examples\/docs\/\S+)#(\S+) -->\s*$/.exec(lines[block.start - 1] ?? "");
    if (!source) {
      complaints.push(
        `${at}: the line above a code block says where it is from: <!-- examples/docs/file.ts#region -->`,
      );
      continue;
    }
    const [, file = "", name = ""] = source;
    const wanted = region(file, name);
    if (wanted === undefined) {
      complaints.push(`${at}: there is no region "${name}" in ${file}`);
      continue;
    }
    const found = dedent(lines.slice(block.start + 1, block.end));
    if (found.join("\n") === wanted.join("\n")) continue;
    if (!write) complaints.push(`${at}: differs from ${file}#${name}. Run: pnpm docs:check --write`);
    written.push(
      ...lines.slice(last, block.start + 1),
      ...wanted.map((line) => (line ? block.indent + line : line)),
    );
    last = block.end;
  }
  const after = [...written, ...lines.slice(last)].join("\n");
  if (write && after !== before) writeFileSync(page, after);
}

function checkLinks(page: string): void {
  for (const [target, line] of links(page)) {
    if (/^[a-z][a-z0-9+.-]*:|^\/\//i.test(target)) continue;
    const [path = "", fragment] = decodeURI(target).split("#");
    const file = path === "" ? page : normalize(join(dirname(page), path));
    if (!existsSync(file)) complaints.push(`${page}:${line}: ${target} leads nowhere`);
    else if (fragment && file.endsWith(".md") && !headings(file).has(fragment))
      complaints.push(`${page}:${line}: ${file} has no heading #${fragment}`);
  }
}

/** The lines between `// #region name` and its `// #endregion`, without the markers of regions inside it. */
function region(file: string, name: string): string[] | undefined {
  if (!existsSync(file)) return undefined;
  const lines = readFileSync(file, "utf8").split("\n");
  const start = lines.findIndex((line) => line.trim() === `// #region ${name}`);
  if (start === -1) return undefined;
  const inside: string[] = [];
  let depth = 1;
  for (const line of lines.slice(start + 1)) {
    if (line.trim().startsWith("// #region ")) depth += 1;
    else if (line.trim().startsWith("// #endregion")) depth -= 1;
    else inside.push(line);
    if (depth === 0) return dedent(inside);
  }
  return undefined;
}

/** The fenced blocks: `start` and `end` are the lines of the fences, counted from zero. */
function blocks(
  lines: readonly string[],
): { language: string; indent: string; start: number; end: number }[] {
  const found = [];
  for (let start = 0; start < lines.length; start += 1) {
    const [, indent = "", fence, language = ""] =
      /^(\s*)(`{3,}|~{3,})\s*([^\s`]*)/.exec(lines[start] ?? "") ?? [];
    if (fence === undefined) continue;
    const close = lines.findIndex(
      (line, index) => index > start && line.trim().startsWith(fence) && !/\w/.test(line),
    );
    const end = close === -1 ? lines.length : close;
    found.push({ language, indent, start, end });
    start = end;
  }
  return found;
}

function* links(page: string): Generator<[target: string, line: number]> {
  for (const [line, text] of prose(page).entries()) {
    const spans = text.replace(/`[^`]*`/g, "");
    for (const match of spans.matchAll(
      /\]\(\s*<?([^)\s>]+)|^\s*\[[^\]]+\]:\s*(\S+)|\b(?:href|src)="([^"]+)"/g,
    ))
      yield [match[1] ?? match[2] ?? match[3] ?? "", line + 1];
  }
}

/** Headings as GitHub names them in links, and explicit anchors. */
function headings(file: string): Set<string> {
  const names = new Set<string>();
  for (const line of prose(file)) {
    for (const anchor of line.matchAll(/<a (?:id|name)="([^"]+)"/g)) names.add(anchor[1] ?? "");
    const heading = /^#{1,6}\s+(.*?)\s*#*$/.exec(line)?.[1];
    if (heading === undefined) continue;
    const name = heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .replace(/\s/g, "-");
    let unique = name;
    for (let count = 1; names.has(unique); count += 1) unique = `${name}-${count}`;
    names.add(unique);
  }
  return names;
}

/** A page's lines, those in code blocks emptied. */
function prose(page: string): string[] {
  const lines = readFileSync(page, "utf8").split("\n");
  for (const block of blocks(lines)) lines.fill("", block.start, block.end + 1);
  return lines;
}

function dedent(lines: readonly string[]): string[] {
  const indents = lines
    .filter((line) => line.trim() !== "")
    .map((line) => line.length - line.trimStart().length);
  const least = Math.min(...indents);
  const trimmed = lines.map((line) => line.slice(least).trimEnd());
  while (trimmed.at(0) === "") trimmed.shift();
  while (trimmed.at(-1) === "") trimmed.pop();
  return trimmed;
}

function pages(patterns: readonly string[]): string[] {
  return globSync(patterns, { exclude: ["**/node_modules/**"] }).sort();
}
