import { existsSync, readFileSync } from "node:fs";
import type { Holdfast, LedgerEntry } from "@holdfast/core";
import { effectsIn, TIMES } from "./agent.ts";

/** What came of it all. `broken` is what must not be: a line for each. */
export interface Account {
  readonly runs: number;
  readonly succeeded: number;
  readonly wires: number;
  readonly refundKeys: number;
  readonly refundCalls: number;
  readonly doubts: number;
  readonly takeovers: number;
  readonly crashes: number;
  readonly entries: number;
  readonly broken: readonly string[];
}

/** Was this done, as far as the world knows? */
export const happened = (folder: string, runId: string, step: string): boolean =>
  linesOf(effectsIn(folder).once).includes(`${runId} ${step}`);

/** Holds every ledger against the rules, and the world against the ledgers. */
export async function accountOf(
  holdfast: Holdfast,
  folder: string,
  runIds: readonly string[],
): Promise<Account> {
  const broken: string[] = [];
  let [succeeded, doubts, takeovers, crashes, count] = [0, 0, 0, 0, 0];
  for (const runId of runIds) {
    const entries = await holdfast.entries(runId);
    const { status } = await holdfast.runs.get(runId);
    if (status === "succeeded") succeeded++;
    else broken.push(`${runId} is ${status}`);
    doubts += entries.filter(({ kind }) => kind === "doubt").length;
    takeovers += entries.filter(({ kind }) => kind === "takeover").length;
    crashes += entries.filter((entry) => entry.kind === "takeover" && entry.after === "crash").length;
    count += entries.length;
    broken.push(...faultsOf(entries).map((fault) => `${runId}: ${fault}`));
  }
  const wires = linesOf(effectsIn(folder).once);
  for (const wire of repeated(wires)) broken.push(`${wire} happened more than once`);
  const refunds = linesOf(effectsIn(folder).idempotent);
  const keys = new Set(refunds);
  if (wires.length !== runIds.length * TIMES) broken.push(`${wires.length} wires for ${runIds.length} runs`);
  if (keys.size !== runIds.length * TIMES) broken.push(`${keys.size} refund keys for ${runIds.length} runs`);
  return {
    runs: runIds.length,
    succeeded,
    wires: wires.length,
    refundKeys: keys.size,
    refundCalls: refunds.length,
    doubts,
    takeovers,
    crashes,
    entries: count,
    broken,
  };
}

/** What is wrong with a ledger by itself. */
function faultsOf(entries: readonly LedgerEntry[]): string[] {
  const faults: string[] = [];
  for (const [i, { seq, epoch }] of entries.entries()) {
    if (seq !== i + 1) faults.push(`entry ${i + 1} has the number ${seq}`);
    if (epoch < (entries[i - 1]?.epoch ?? 0)) faults.push(`entry ${seq} has an epoch that was over`);
  }
  if (entries.filter(({ kind }) => kind === "outcome").length !== 1) faults.push("it has not one outcome");
  const steps = entries.flatMap((entry) => (entry.kind === "observation" ? [entry.step] : []));
  for (const step of repeated(steps)) faults.push(`${step} was observed more than once`);
  return faults;
}

const linesOf = (file: string) =>
  existsSync(file)
    ? readFileSync(file, "utf8")
        .split("\n")
        .filter((line) => line !== "")
    : [];

const repeated = (all: readonly string[]) => new Set(all.filter((one, i) => all.indexOf(one) !== i));
