import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, inject, test } from "vitest";

const built = inject("dashboard");

/** Of all scripts and styles, gzipped: what a telephone loads before it shows anything. */
const MOST_BYTES = 140 * 1024;

test.skipIf(!built)(
  "the bundle is small, and nothing in it is inline (needs Chromium, which it is built for)",
  async () => {
    const folder = built?.folder ?? "";
    const html = await readFile(join(folder, "index.html"), "utf8");
    expect(html).not.toMatch(/<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=|javascript:|data:/);
    const files = await readdir(join(folder, "assets"));
    const sizes = await Promise.all(
      files.map(async (file) => gzipSync(await readFile(join(folder, "assets", file))).length),
    );
    expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(MOST_BYTES);
  },
);
