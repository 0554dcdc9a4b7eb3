import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { appendFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { idempotencyKey, openHoldfast, step } from "@holdfast/core";
import { startEmbeddedPostgres } from "@holdfast/embedded-postgres";
import type { Command } from "commander";
import type { Common } from "../connected.ts";
import { timeline } from "../show/timeline.ts";
import { paintOn, type Terminal } from "../terminal.ts";

const REFUNDED = "refunded";

export function addDemo(holdfast: Command, terminal: Terminal): void {
  holdfast
    .command("demo")
    .description(
      "kill an agent between a refund and its record, let another process go on, and show the ledger",
    )
    .action(async (_: unknown, command: Command) => {
      const { database } = command.optsWithGlobals<Common>();
      await using started = new AsyncDisposableStack();
      const folder = await mkdtemp(join(tmpdir(), "holdfast-demo-"));
      started.defer(() => rm(folder, { recursive: true, force: true }));
      const embedded = database === undefined ? await startEmbeddedPostgres() : undefined;
      if (embedded) started.defer(() => embedded.stop());
      const url = database ?? embedded?.url ?? "";
      const [runId, books] = [`demo-${randomBytes(3).toString("hex")}`, join(folder, "refunds")];
      const go = (who: string, killed: boolean) => agentProcess(url, runId, books, { who, killed, terminal });

      await go("process 1", true);
      terminal.out("process 1  killed with SIGKILL: the refund is made, and not on record\n");
      await go("process 2", false);

      const hf = await openHoldfast({ database: url });
      started.defer(() => hf.close({ graceSeconds: 0 }));
      const { lines } = timeline(paintOn(terminal), terminal.width);
      terminal.out("\n");
      for (const entry of await hf.entries(runId)) for (const line of lines(entry)) terminal.out(`${line}\n`);
      const refunds = new Set((await readFile(books, "utf8")).trim().split("\n"));
      terminal.out(`\nrefunds in the books: ${refunds.size}\n`);
    });

  // The agent's own process. The shop recognises a refund by its idempotency key, and counts it once.
  holdfast
    .command("demo-agent", { hidden: true })
    .argument("<run>")
    .argument("<books>")
    .option("--hang")
    .action(async (runId: string, books: string, { hang }: { hang?: true }, command: Command) => {
      const { database } = command.optsWithGlobals<Common>();
      const hf = await openHoldfast({ ...(database === undefined ? {} : { database }), leaseSeconds: 1 });
      const refund = async () => {
        await appendFile(books, `${idempotencyKey()}\n`);
        terminal.out(`${REFUNDED}\n`);
        if (hang) await new Promise(() => {});
        return { refunded: 2500 };
      };
      const work = async () => {
        await step("look_up_order", () => ({ cents: 2500 }), { effect: "read", input: { order: 42 } });
        await step("issue_refund", refund, { effect: "idempotent", input: { order: 42, cents: 2500 } });
        return "Your refund is on its way.";
      };
      await hf.run(runId, work, { agent: "support", input: { ticket: 42 }, onLeased: "wait" });
      await hf.close();
    });
}

/** Runs the agent in a process of its own until it ends, or until it has made the refund and is killed. */
async function agentProcess(
  database: string,
  runId: string,
  books: string,
  { who, killed, terminal }: { who: string; killed: boolean; terminal: Terminal },
): Promise<void> {
  const own = [...process.execArgv, process.argv[1] ?? ""];
  const args = ["--database", database, "demo-agent", runId, books, ...(killed ? ["--hang"] : [])];
  const child = spawn(process.execPath, [...own, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  child.stdout.on("data", (text: Buffer) => {
    terminal.out(`${who}  ${text.toString().trim()}\n`);
    if (killed && text.toString().includes(REFUNDED)) child.kill("SIGKILL");
  });
  child.stderr.on("data", (text: Buffer) => terminal.err(text.toString()));
  const code = await new Promise((resolve) => child.once("close", resolve));
  if (!killed && code !== 0) throw new Error(`${who} ended with ${String(code)}`);
}
