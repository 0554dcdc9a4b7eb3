// Installs the tarballs a release would publish into two empty projects, one ESM and one CommonJS, and runs programs
// there, as a user would:
//
//     node scripts/check-packed.ts scripts/packed/names.mjs scripts/packed/names.cjs
//
// A .cjs program runs in the CommonJS project, any other in the ESM one. A program that has a package.json above it
// (other than the workspace's own) takes that whole folder with it, and the dependencies named there.

import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import { type Packed, packAll, readManifest } from "./pack.ts";

const programs = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "holdfast-packed-"));
try {
  const packed = packAll(join(folder, "tarballs"));
  for (const [kind, type] of [
    ["esm", "module"],
    ["cjs", "commonjs"],
  ] as const) {
    const own = programs.filter((program) => program.endsWith(".cjs") === (kind === "cjs"));
    if (own.length === 0) continue;
    const project = join(folder, kind);
    install(project, type, packed, own);
    for (const program of own) run(project, program, packed);
    for (const { manifest } of packed)
      for (const command of Object.keys(manifest.bin ?? {})) help(project, command);
  }
} finally {
  // A program that failed may have left an embedded server behind, which is about to stop by itself.
  rmSync(folder, { recursive: true, maxRetries: 20 });
}

function install(
  project: string,
  type: string,
  packed: readonly Packed[],
  programs: readonly string[],
): void {
  mkdirSync(project);
  const dependencies: Record<string, string> = {};
  // A peer is what its package is developed against; a program's own wish comes after it.
  for (const { manifest } of packed)
    for (const peer of Object.keys(manifest.peerDependencies ?? {}))
      dependencies[peer] = manifest.devDependencies?.[peer] ?? "*";
  for (const program of programs) {
    const home = homeOf(program);
    if (home) Object.assign(dependencies, readManifest(join(home, "package.json")).dependencies);
  }
  for (const { manifest, tarball } of packed) dependencies[manifest.name] = `file:${tarball}`;
  writeFileSync(join(project, "package.json"), JSON.stringify({ private: true, type, dependencies }));
  execFileSync("npm", ["install", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"], {
    cwd: project,
    stdio: ["ignore", "inherit", "inherit"],
  });
}

function run(project: string, program: string, packed: readonly Packed[]): void {
  const home = homeOf(program);
  const place = join(project, home ? basename(home) : "");
  if (home)
    cpSync(home, place, {
      recursive: true,
      filter: (path) => !/(^|\/)(node_modules|dist|\.holdfast)$/.test(path),
    });
  else cpSync(program, join(place, basename(program)));
  const entry = home ? relative(home, program) : basename(program);
  console.log(`\n${basename(project)}: node ${program}`);
  // A package that is only a command has nothing to import.
  const importable = packed.filter(({ manifest }) => manifest.exports?.["."] !== undefined);
  const names = importable.map(({ manifest }) => manifest.name);
  const { status } = spawnSync(process.execPath, [entry, ...names], {
    cwd: place,
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (status !== 0) {
    console.error(`${program} fails with the packed packages`);
    process.exitCode = 1;
  }
}

function help(project: string, command: string): void {
  console.log(`\n${basename(project)}: ${command} --help`);
  const { status } = spawnSync(join(project, "node_modules/.bin", command), ["--help"], {
    cwd: project,
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (status !== 0) {
    console.error(`${command} --help fails with the packed packages`);
    process.exitCode = 1;
  }
}

/** The folder of the program's own package, if it has one inside the workspace. */
function homeOf(program: string): string | undefined {
  for (let at = dirname(program); at !== "."; at = dirname(at))
    if (existsSync(join(at, "package.json"))) return at;
  return undefined;
}
