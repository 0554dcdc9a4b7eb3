import { execFileSync } from "node:child_process";
import { globSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly packageManager?: string;
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly bin?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

export interface Packed {
  readonly manifest: Manifest;
  readonly tarball: string;
}

/** Packs every publishable package as a release would, into `folder`. They must have been built. */
export function packAll(folder: string): Packed[] {
  mkdirSync(folder, { recursive: true });
  const pnpm = readManifest("package.json").packageManager ?? "pnpm";
  return globSync("packages/*/package.json")
    .sort()
    .map((path) => ({ path, manifest: readManifest(path) }))
    .filter(({ manifest }) => manifest.private !== true)
    .map(({ path, manifest }) => {
      const tarball = join(
        folder,
        `${manifest.name.replace("@", "").replace("/", "-")}-${manifest.version}.tgz`,
      );
      execFileSync("npx", ["-y", pnpm, "pack", "--out", tarball], {
        cwd: dirname(path),
        stdio: ["ignore", "ignore", "inherit"],
      });
      return { manifest, tarball };
    });
}

export function readManifest(path: string): Manifest {
  return JSON.parse(readFileSync(path, "utf8"));
}
