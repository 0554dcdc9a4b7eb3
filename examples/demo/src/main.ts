import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { type Holdfast, openHoldfast } from "@holdfast/core";
import { startEmbeddedPostgres } from "@holdfast/embedded-postgres";
import { startRelay, startScriptedModel } from "./model-server.ts";
import type { News, Refund, Stats } from "./payments.ts";
import { printSummary, printTimeline, type Summary, say } from "./timeline.ts";

const usage = `npm run demo -- [--effect idempotent|once] [--unprotected] [--live]

  --effect once   the refund is declared nothing, so it is once: in doubt after the crash, and resolved by a person
  --unprotected   the same agent without Holdfast
  --live          a real model: OPENAI_API_KEY, and if you like OPENAI_MODEL and OPENAI_BASE_URL`;

type Mode = "idempotent" | "once" | "unprotected";

const promised: Record<Mode, Summary> = {
  idempotent: { status: "succeeded", paid: 4, replayed: 2, attempts: 2, refunds: 1, mails: 1 },
  once: { status: "succeeded", paid: 4, replayed: 2, attempts: 1, refunds: 1, mails: 1 },
  unprotected: { status: "succeeded", paid: 6, replayed: 0, attempts: 2, refunds: 2, mails: 1 },
};

/** What a real model may do otherwise than the script: ask once more, or send another mail. */
const upToTheModel: readonly (keyof Summary)[] = ["paid", "replayed", "mails"];

async function demo({ mode, live }: { mode: Mode; live: boolean }): Promise<Summary> {
  await using started = new AsyncDisposableStack();

  const database = process.env.DATABASE_URL || (await embedded(started));
  const model = started.use(live ? await startRelay(providerUrl()) : await startScriptedModel());
  const runId = `order-42-${randomBytes(3).toString("hex")}`;
  say("demo", `run ${runId}, ${mode === "unprotected" ? "without Holdfast" : `issue_refund is ${mode}`}`);
  const payments = await startPayments(started, { account: runId, database });

  let workers = 0;
  const startWorker = () => {
    workers += 1;
    return startChild(`worker ${workers}`, "worker.ts", [runId], {
      DATABASE_URL: database,
      SHOP_URL: payments.url,
      OPENAI_BASE_URL: model.url,
      ...(!live && { OPENAI_API_KEY: "none-needed", OPENAI_MODEL: "scripted" }),
      DEMO_EFFECT: mode,
      DEMO_UNPROTECTED: mode === "unprotected" ? "1" : "",
    });
  };

  const doomed = startWorker();
  const refund = await Promise.race([payments.refunded, diedEarly(doomed)]);
  say(
    "payments",
    `${refund.id}: ${refund.cents} cents for order ${refund.orderId} are paid back; the answer is not out`,
  );
  await kill(doomed);
  say("worker 1", "killed with SIGKILL");

  await finished(startWorker());

  if (mode === "unprotected") {
    const { requests, refunds, mails } = await payments.stats();
    return { status: "succeeded", paid: model.calls(), replayed: 0, attempts: requests, refunds, mails };
  }

  const hf = await openHoldfast({ database });
  started.defer(() => hf.close());
  if (mode === "once") {
    await settleDoubts(hf, { runId, shopUrl: payments.url });
    await finished(startWorker());
  }

  const { refunds, mails } = await payments.stats();
  const entries = await hf.entries(runId);
  printTimeline(runId, entries);
  const resumedAt = entries.findLast((entry) => entry.kind === "takeover")?.seq ?? 0;
  return {
    status: (await hf.runs.get(runId)).status,
    paid: model.calls(),
    replayed: entries.filter((e) => e.kind === "observation" && e.call === "model" && e.seq < resumedAt)
      .length,
    attempts: entries.filter((e) => e.kind === "intent" && e.name === "issue_refund").length,
    refunds,
    mails,
  };
}

/** What a person does about a doubt: looks at the other side's record, and says what happened. */
async function settleDoubts(
  hf: Holdfast,
  { runId, shopUrl }: { runId: string; shopUrl: string },
): Promise<void> {
  for (const doubt of await hf.doubts.list({ runId })) {
    say(
      "in doubt",
      `${doubt.name} ${JSON.stringify(doubt.input)}: it may have happened, and is not tried again`,
    );
    const refunds = (await (await fetch(`${shopUrl}/refunds?order=42`)).json()) as Refund[];
    say("operator", `payments has on record for order 42: ${JSON.stringify(refunds)}`);
    const [done] = refunds;
    await hf.doubts.resolve(runId, doubt.step, done ? { happened: done } : { didNotHappen: true }, {
      by: "operator",
    });
    say("operator", done ? "resolves it: it happened" : "resolves it: it did not happen");
  }
}

async function embedded(started: AsyncDisposableStack): Promise<string> {
  const server = await startEmbeddedPostgres(); // in a temporary folder: this demo's alone, so it may stop it
  started.defer(() => server.stop());
  say("database", `embedded Postgres, pid ${server.pid}`);
  return server.url;
}

function providerUrl(): string {
  if (!process.env.OPENAI_API_KEY) refuse("--live needs OPENAI_API_KEY.");
  return process.env.OPENAI_BASE_URL ?? "https://api.openai.com/v1";
}

async function startPayments(
  started: AsyncDisposableStack,
  { account, database }: { account: string; database: string },
) {
  const child = startChild("payments", "payments.ts", [account], { DATABASE_URL: database });
  started.defer(() => kill(child)); // before the database goes
  const news = <A extends News["at"]>(at: A) =>
    new Promise<Extract<News, { at: A }>>((resolve) =>
      child.on("message", (message: News) => {
        if (message.at === at) resolve(message as Extract<News, { at: A }>); // `at` is what tells them apart.
      }),
    );
  const refunded = news("refunded").then(({ refund }) => refund);
  const { url } = await Promise.race([news("listening"), diedEarly(child)]);
  const stats = async () => {
    const counted = (await (await fetch(`${url}/stats`)).json()) as Stats;
    say("payments", `requests: ${counted.requests}, refunds in the books: ${counted.refunds}`);
    return counted;
  };
  return { url, refunded, stats };
}

const children = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});

function startChild(
  name: string,
  file: string,
  args: readonly string[],
  env: Record<string, string>,
): ChildProcess {
  const child = fork(new URL(file, import.meta.url), args, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  children.add(child);
  child.once("exit", () => children.delete(child));
  for (const output of [child.stdout, child.stderr]) {
    if (output) createInterface(output).on("line", (line) => say(name, line));
  }
  say(name, `starts, pid ${child.pid}`);
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  const closed = once(child, "close");
  if (child.kill("SIGKILL")) await closed;
}

async function finished(child: ChildProcess): Promise<void> {
  const [code, signal] = await once(child, "close");
  if (code !== 0) throw new Error(`a worker ended with ${signal ?? `exit code ${code}`}`);
}

async function diedEarly(child: ChildProcess): Promise<never> {
  const [code, signal] = await once(child, "exit");
  throw new Error(`a process ended before its time, with ${signal ?? `exit code ${code}`}`);
}

function refuse(why: string): never {
  console.error(`${why}\n\n${usage}`);
  process.exit(2);
}

function readArguments(): { mode: Mode; live: boolean } {
  // Some package managers hand on the "--" that was meant for them.
  const args = process.argv.slice(2).filter((argument) => argument !== "--");
  try {
    const { values } = parseArgs({
      args,
      options: { effect: { type: "string" }, unprotected: { type: "boolean" }, live: { type: "boolean" } },
    });
    const { effect = "idempotent", unprotected = false, live = false } = values;
    if (effect !== "idempotent" && effect !== "once") refuse(`There is no effect ${effect} in this demo.`);
    if (unprotected && values.effect) refuse("Without Holdfast, there is no effect to declare.");
    return { mode: unprotected ? "unprotected" : effect, live };
  } catch (error) {
    return refuse((error as Error).message);
  }
}

const secondsMax = 120;
setTimeout(() => {
  console.error(`The demo has not finished within ${secondsMax} seconds.`);
  process.exit(1);
}, secondsMax * 1000).unref();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(1));

const options = readArguments();
const summary = await demo(options);
printSummary(summary);
const differs = (Object.keys(summary) as (keyof Summary)[])
  .filter((name) => !(options.live && upToTheModel.includes(name)))
  .filter((name) => summary[name] !== promised[options.mode][name]);
for (const name of differs)
  console.error(`${name} is ${summary[name]}, should be ${promised[options.mode][name]}`);
process.exit(differs.length === 0 ? 0 : 1);
