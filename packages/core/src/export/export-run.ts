import { mkdir, writeFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { HoldfastError } from "../errors.ts";
import { blobsNamedIn } from "../rebuild-request.ts";
import type { RecordedRun } from "../recorded-run.ts";
import { redactRun } from "./redact-run.ts";
import { writeRunFile } from "./run-file.ts";

export interface ExportOptions {
  /**
   * What does not leave the house. A text is a path as in `openHoldfast({ redact })`: what it leads to is taken out, and a
   * text of six or more characters that stands there is taken out wherever it occurs. A regular expression is taken out of
   * every text it is found in.
   */
  readonly redact?: readonly (string | RegExp)[];
  /** Where to write the file. Absent: it is only given back. */
  readonly to?: string;
  /** Write a test beside it (`order-42.jsonl` → `order-42.test.ts`) that runs `import`, exported by `from`, over it. */
  readonly vitest?: { readonly import: string; readonly from: string };
}

/** A run as one file that needs nothing else: see run-file.ts. `configured` is what was taken out as it was recorded. */
export async function exportRun(
  recorded: RecordedRun,
  configured: readonly string[],
  { redact = [], to, vitest }: ExportOptions,
): Promise<string> {
  if (vitest && to === undefined) {
    const why = "needs `to`: the test stands beside the file";
    throw new HoldfastError("INVALID_ARGUMENT", { argument: "vitest", why });
  }
  const own = redact.filter((each) => typeof each === "string");
  const patterns = redact.filter((each) => each instanceof RegExp);
  const { runId, entries, blobs } = recorded;
  const left =
    redact.length === 0
      ? { entries, blobs: await blobsNamedIn(entries, blobs) }
      : await redactRun(recorded, own, patterns);
  const redacted = {
    paths: [...configured, ...own],
    patterns: patterns.map(({ source, flags }) => [source, flags] as const),
  };
  const text = writeRunFile({ runId, ...left, redacted });
  if (to !== undefined) {
    await mkdir(dirname(to), { recursive: true });
    await writeFile(to, text);
    if (vitest) await writeFile(testBeside(to), testText(runId, to, vitest));
  }
  return text;
}

const testBeside = (file: string) => `${file.replace(/\.jsonl$/, "")}.test.ts`;

const testText = (runId: string, file: string, { import: name, from }: { import: string; from: string }) =>
  `import { replayFixture } from "@holdfast/core/testing";
import { test } from "vitest";
import { ${name} } from ${JSON.stringify(from)};

test(${JSON.stringify(`run ${runId} follows its record`)}, async () => {
  await replayFixture(new URL(${JSON.stringify(`./${basename(file)}`)}, import.meta.url), ${name});
});
`;
