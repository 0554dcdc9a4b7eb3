// sql/NNNN-noun.sql of a package → its migrations.generated.ts, so that a bundle needs no files beside it. With --check
// nothing is written: it fails when a generated file is not what the SQL says.

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";

const targets: Readonly<Record<string, string>> = {
  "packages/core/sql": "packages/core/src/store/migrations.generated.ts",
  "packages/adapter-langgraph/sql": "packages/adapter-langgraph/src/saver/migrations.generated.ts",
  "packages/server/sql": "packages/server/src/store/migrations.generated.ts",
};

for (const [folder, target] of Object.entries(targets)) {
  if (!existsSync(folder)) continue;
  const wanted = generate(folder);
  if (process.argv.includes("--check")) {
    const found = existsSync(target) ? readFileSync(target, "utf8") : undefined;
    if (found !== wanted) fail(`${target} is not what ${folder} says. Run: pnpm sql`);
  } else {
    writeFileSync(target, wanted);
  }
}

function generate(folder: string): string {
  const files = readdirSync(folder)
    .filter((file) => file.endsWith(".sql"))
    .sort();
  const migrations = files.map((file, index) => {
    const match = /^(\d{4})-([a-z][a-z0-9-]*)\.sql$/.exec(file);
    if (!match) return fail(`${folder}/${file}: the name is to be NNNN-noun.sql`);
    const version = Number(match[1]);
    if (version !== index + 1)
      return fail(`${folder}/${file}: the next number is ${index + 1}, this is ${version}`);
    const sql = readFileSync(`${folder}/${file}`, "utf8");
    return [
      "  {",
      `    version: ${version},`,
      `    name: "${match[2]}",`,
      `    checksum: "${createHash("sha256").update(sql).digest("hex")}",`,
      `    sql: ${asTemplate(sql)},`,
      "  },",
    ].join("\n");
  });
  return [
    `// Generated from ${folder} by scripts/inline-sql.ts. Do not edit; run: pnpm sql`,
    "",
    "export const migrations: readonly {",
    "  readonly version: number;",
    "  readonly name: string;",
    "  readonly checksum: string;",
    "  readonly sql: string;",
    migrations.length === 0 ? "}[] = [];" : `}[] = [\n${migrations.join("\n")}\n];`,
    "",
  ].join("\n");
}

function asTemplate(text: string): string {
  if (text.includes("\r")) fail("a carriage return in the SQL: its checksum would differ between machines");
  return `\`${text.replace(/[\\`]|\$\{/g, "\\$&")}\``;
}

function fail(why: string): never {
  console.error(why);
  process.exit(1);
}
