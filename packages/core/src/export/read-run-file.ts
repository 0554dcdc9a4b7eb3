import { readFile } from "node:fs/promises";
import { parseRunFile, type RunFile } from "./run-file.ts";

/** Reads a run from the path of a file, or from what hf.exportRun gave back. */
export async function readRunFile(file: string | URL): Promise<RunFile> {
  const isText = typeof file === "string" && file.trimStart().startsWith("{");
  return await parseRunFile(isText ? file : await readFile(file, "utf8"));
}
