import { randomBytes } from "node:crypto";
import { parseArgs } from "node:util";
import { type Holdfast, openHoldfast } from "@holdfast/core";
import { startEmbeddedPostgres } from "@holdfast/embedded-postgres";
import { agents, type Framework, isFramework } from "./agents/index.ts";
import { diedEarly, finished, kill, killAll, startChild } from "./child.ts";
import { startRelay, startScriptedModel } from "./model-server.ts";
import type { News, Refund, Stats } from "./payments.ts";
import { printSummary, printTimeline, type Summary, say } from "./timeline.ts";

const usage = `npm run demo -- [--framework ${Object.keys(agents).join("|")}] [--effect idempotent|once] [--unprotected] [--live]

  --framework     what the agent is written with; vercel-ai unless said otherwise
  --effect once   the refund is declared nothing, so it is once: in doubt after the crash, and resolved by a person
  --unprotected   the same agent without Holdfast
  --live          a real model: OPENAI_API_KEY, and if you like OPENAI_MODEL and OPENAI_BASE_URL`;

type Mode = "idempotent" | "once" | "unprotected";

interface Options {
  readonly framework: Framework;
  readonly mode: Mode;
  readonly live: boolean;
}

const promised: Record<Mode, Summary> = {
  idempotent: { status: "succeeded", paid: 4, replayed: 2, attempts: 2, refunds: 1, mails: 1 },
  once: { status: "succeeded", paid: 4, replayed: 2, attempts: 1, refunds: 1, mails: 1 },
  unprotected: { status: "succeeded", paid: 6, replayed: 0, attempts: 2, refunds: 2, mails: 1 },
};

/** What a real model may do otherwise than the script: ask once more, or send another mail. */
const upToTheModel: readonly (keyof Summary)[] = ["paid", "replayed", "mails"];

async function main(): Promise<number> {
  const options = readArguments();
  await using started = new AsyncDisposableStack();
  const summary = await Promise.race([demo(options, started), interrupted()]);
  printSummary(summary);
  const differs = (Object.keys(summary) as (keyof Summary)[])
    .filter((name) => !(options.live && upToTheModel.includes(name)))
    .filter((name) => summary[name] !== promised[options.mode][name]);
  for (const name of differs) {
    console.error(`${name} is ${summary[name]}, should be ${promised[options.mode][name]}`);
  }
  return differs.length === 0 ? 0 : 1;
}

async function demo({ framework, mode, live }: Options, started: AsyncDisposableStack): Promise<Summary> {
  const database = process.env.DATABASE_URL || (await embedded(started));
  started.defer(killAll); // before the database goes
  const model = started.use(live ? await startRelay(providerUrl()) : await startScriptedModel());
  const runId = `order-42-${randomBytes(3).toString("hex")}`;
  const how = mode === "unprotected" ? "without Holdfast" : `issue_refund is ${mode}`;
  say("demo", `run ${runId}, ${framework}, ${how}`);
  const payments = await startPayments({ account: runId, database });
  const env = {
    DATABASE_URL: database,
    SHOP_URL: payments.url,
    OPENAI_BASE_URL: model.url,
    ...(!live && { OPENAI_API_KEY: "none-needed", OPENAI_MODEL: "scripted" }),
    DEMO_FRAMEWORK: framework,
    DEMO_EFFECT: mode,
    DEMO_UNPROTECTED: mode === "unprotected" ? "1" : "",
  };
  const startWorker = (name: string) => startChild({ name, file: "worker.ts", args: [runId], env });

  const first = startWorker("worker 1");
  const { id, cents } = await Promise.race([payments.refunded, diedEarly(first)]);
  say("payments", `${id}: ${cents} cents for order 42 are paid back; the answer is not out`);
  await kill(first);
  say("worker 1", "killed with SIGKILL");
  await finished(startWorker("worker 2"));

  if (mode === "unprotected") {
    const { requests, refunds, mails } = await payments.stats();
    return { status: "succeeded", paid: model.calls(), replayed: 0, attempts: requests, refunds, mails };
  }

  const hf = await openHoldfast({ database });
  started.defer(() => hf.close());
  if (mode === "once") {
    await settleDoubts(hf, { runId, shopUrl: payments.url });
    await finished(startWorker("worker 3"));
  }

  const { refunds, mails } = await payments.stats();
  const { status } = await hf.runs.get(runId);
  const entries = await hf.entries(runId);
  printTimeline(runId, entries);
  const resumedAt = entries.findLast((entry) => entry.kind === "takeover")?.seq ?? 0;
  const before = entries.filter((entry) => entry.seq < resumedAt);
  return {
    status,
    paid: model.calls(),
    replayed: before.filter((entry) => entry.kind === "observation" && entry.call === "model").length,
    attempts: entries.filter((entry) => entry.kind === "intent" && entry.name === "issue_refund").length,
    refunds,
    mails,
  };
}

/** What a person does about a doubt: looks at the other side's record, and says what happened. */
async function settleDoubts(hf: Holdfast, at: { runId: string; shopUrl: string }): Promise<void> {
  const by = "operator";
  for (const { runId, step, name, input } of await hf.doubts.list({ runId: at.runId })) {
    say("in doubt", `${name} ${JSON.stringify(input)}: may have happened, and is not tried again`);
    const refunds = (await (await fetch(`${at.shopUrl}/refunds?order=42`)).json()) as Refund[];
    say(by, `payments has on record for order 42: ${JSON.stringify(refunds)}`);
    const [done] = refunds;
    await hf.doubts.resolve(runId, step, done ? { happened: done } : { didNotHappen: true }, { by });
    say(by, done ? "resolves it: it happened" : "resolves it: it did not happen");
  }
}

async function embedded(started: AsyncDisposableStack): Promise<string> {
  const server = await startEmbeddedPostgres(); // in a temporary folder: this demo's alone, so it may stop it
  started.defer(() => server.stop());
  say("database", `embedded Postgres, pid ${server.pid}`);
  return server.url;
}

const providerUrl = () => process.env.OPENAI_BASE_URL || "https://api.openai.com/v1";

async function startPayments({ account, database }: { account: string; database: string }) {
  const env = { DATABASE_URL: database };
  const child = startChild({ name: "payments", file: "payments.ts", args: [account], env });
  const listening = Promise.withResolvers<string>();
  const refunded = Promise.withResolvers<Refund>();
  child.on("message", (news: News) => {
    if (news.at === "listening") listening.resolve(news.url);
    else refunded.resolve(news.refund);
  });
  const url = await Promise.race([listening.promise, diedEarly(child)]);
  const stats = async () => {
    const counted = (await (await fetch(`${url}/stats`)).json()) as Stats;
    say("payments", `requests: ${counted.requests}, refunds in the books: ${counted.refunds}`);
    return counted;
  };
  return { url, refunded: refunded.promise, stats };
}

const secondsMax = 120;

/** Rejects, so that what was started is stopped in order. */
function interrupted(): Promise<never> {
  return new Promise((_, reject) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.once(signal, () => reject(new Error(signal)));
    }
    const late = () => reject(new Error(`not finished within ${secondsMax} seconds`));
    setTimeout(late, secondsMax * 1000).unref();
  });
}

function readArguments(): Options {
  // Some package managers hand on the "--" that was meant for them.
  const args = process.argv.slice(2).filter((argument) => argument !== "--");
  try {
    const { values } = parseArgs({
      args,
      options: {
        framework: { type: "string" },
        effect: { type: "string" },
        unprotected: { type: "boolean" },
        live: { type: "boolean" },
      },
    });
    const { framework = "vercel-ai", effect = "idempotent", unprotected = false, live = false } = values;
    if (!isFramework(framework)) refuse(`There is no framework ${framework} in this demo.`);
    if (effect !== "idempotent" && effect !== "once") refuse(`There is no effect ${effect} in this demo.`);
    if (unprotected && values.effect) refuse("Without Holdfast, there is no effect to declare.");
    if (live && !process.env.OPENAI_API_KEY) refuse("--live needs OPENAI_API_KEY.");
    return { framework, mode: unprotected ? "unprotected" : effect, live };
  } catch (error) {
    return refuse((error as Error).message);
  }
}

function refuse(why: string): never {
  console.error(`${why}\n\n${usage}`);
  process.exit(2);
}

process.exit(
  await main().catch((error: unknown) => {
    console.error(`\nThe demo did not come to its end: ${String(error)}`);
    return 1;
  }),
);
