import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { TestProject } from "vitest/node";

/** Builds the dashboard as it is released, into a folder of its own, where there is a Chromium to look at it. */
export default async function setup({ vitest }: TestProject): Promise<(() => Promise<void>) | undefined> {
  const chromium = BROWSERS.find((path) => path !== undefined && existsSync(path));
  if (chromium === undefined) {
    vitest.provide("dashboard", null);
    return undefined;
  }
  const folder = await mkdtemp(join(tmpdir(), "holdfast-dashboard-"));
  const root = fileURLToPath(new URL("..", import.meta.url));
  const vite = join(root, "node_modules/vite/bin/vite.js");
  // In a process of its own: a test's NODE_ENV would build what developers debug.
  const env = { ...process.env, NODE_ENV: "production" };
  await promisify(execFile)(process.execPath, [vite, "build", "--outDir", folder, "--emptyOutDir"], {
    cwd: root,
    env,
  });
  vitest.provide("dashboard", { folder, chromium });
  return () => rm(folder, { recursive: true });
}

const BROWSERS = [
  process.env.CHROMIUM,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

declare module "vitest" {
  export interface ProvidedContext {
    /** The built dashboard, and the browser that looks at it. Null where there is no Chromium. */
    dashboard: { readonly folder: string; readonly chromium: string } | null;
  }
}
