// Looks at the tarballs a release would publish: do their entries resolve, are the types right for import and require?

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packAll } from "./pack.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-pack-"));
try {
  for (const { tarball } of packAll(folder)) {
    look("publint", ["run", "--strict", tarball]);
    // node10 knows no subpath exports and is not supported.
    look("attw", ["--profile", "node16", "--format", "ascii", "--no-summary", tarball]);
  }
} finally {
  rmSync(folder, { recursive: true });
}

function look(program: string, parameters: readonly string[]): void {
  const { status } = spawnSync(program, parameters, { stdio: "inherit" });
  if (status !== 0) process.exitCode = 1;
}
