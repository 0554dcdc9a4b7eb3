import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type Holdfast, openHoldfast, usd } from "@holdfast/core";
import { newKey, type Server, serve } from "@holdfast/server";
import { Client } from "pg";
import { type Browser, type Cookie, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, inject, onTestFinished } from "vitest";
import { freshDatabase } from "../../../test/fresh-database.ts";
import { Child } from "../../../test/process.ts";
import { ScriptedModel, type Turn } from "../../adapter-vercel-ai/test/scripted-model.ts";
import { options, type Release, registerAgents, type Ticket } from "./support.ts";

const found = inject("dashboard");

/** Where no Chromium is installed, the tests in one are skipped, and their name says so. */
export const hasChromium = found !== null;

const IMAGES = fileURLToPath(new URL("../../../docs/images/", import.meta.url));
/** So many dots to a pixel. */
const SHARP = 1.5;
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const ana = newKey("ana", ["read", "operate", "approve"]);
const reader = newKey("rea", ["read"]);
export const keys = { ana: ana.text, reader: reader.text };

// More and more of them, the nearer it comes to now.
const SPREAD = /* sql */ `
with late as (
  select run, (58 * power((row_number() over (order by run))::float8 / count(*) over (), 1.4) + run % 3) as minutes
    from holdfast.runs
   where key like $1
)
update holdfast.runs r
   set created_at  = created_at  - minutes * interval '1 minute',
       finished_at = finished_at - minutes * interval '1 minute'
  from late
 where late.run = r.run`;

const DAY_BEFORE = /* sql */ `
insert into holdfast.budgets (budget, scope, per, starts, until, cap_micros, spent_micros)
select 'tag:tenant:acme/day/' || starts, 'tag:tenant:acme', 'day', starts, starts + interval '1 day', 5000000, $2
  from (select date_trunc('day', now(), 'UTC') - $1 * interval '1 day' as starts) day`;

/** A database, a server that serves the built dashboard, a model with scripts, workers in processes of their own, and a browser. */
export function servedDashboard() {
  const model = new ScriptedModel();
  let database: Awaited<ReturnType<typeof freshDatabase>>;
  let hf: Holdfast;
  let agents: ReturnType<typeof registerAgents>;
  let server: Server;
  let browser: Browser;
  let tickets = 0;
  /** Whoever has signed in stays so: the server takes ten a minute. */
  const cookies = new Map<string, Cookie[]>();

  const sql = async (text: string, values: readonly unknown[]) => {
    const client = new Client({ connectionString: database.url });
    await client.connect();
    await client.query(text, [...values]);
    await client.end();
  };
  const listen = (port: number) => serve(hf, { keys: [ana.key, reader.key], port, dashboard: found?.folder });

  beforeAll(async () => {
    if (!found) return;
    await mkdir(IMAGES, { recursive: true });
    await model.listen();
    database = await freshDatabase();
    hf = await openHoldfast({ database: database.url, ...options });
    agents = registerAgents(hf, async () => ({}));
    server = await listen(0);
    browser = await chromium.launch({ executablePath: found.chromium, args: FLAGS });
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
    await hf?.close({ graceSeconds: 0 });
    model.close();
    await database?.drop();
  });

  return {
    get hf() {
      return hf;
    },
    get agents() {
      return agents;
    },
    /** The server goes away, and what it was asked for is not answered. */
    async goesAway(): Promise<void> {
      await server.close();
    },
    async comesBack(): Promise<void> {
      server = await listen(Number(new URL(server.url).port));
    },
    get database() {
      return database.url;
    },
    /** A run of the support agent, for a tenant whose budget is shared. */
    start: (ticket: Ticket, key: string) =>
      hf.start(agents.support, ticket, { key, tags: ["tenant:acme"], budget: usd(2) }),
    /** A ticket for the support agent, whose model says this. */
    ticket(order: number, ...turns: readonly Turn[]): Ticket {
      const name = `clerk-${++tickets}`;
      model.script(name, ...turns);
      model.script(`${name}-checker`, { text: "Nothing speaks for fraud: 14 orders, none disputed." });
      return { order, model: name, modelUrl: model.url };
    },
    /** A worker in a process of its own, which never comes back from a tool that it `hangs` in. */
    async worker({ hangs = "", ...release }: Release & { hangs?: string } = {}): Promise<Child> {
      const told = [database.url, hangs, JSON.stringify(release)];
      const child = new Child("../packages/dashboard/test/worker.ts", told);
      onTestFinished(() => child.kill());
      await child.says("working");
      return child;
    },
    /** A page of whoever has this key, signed in. */
    async page({ key = ana.text, width = 1280, dark = false, path = "/" } = {}): Promise<Page> {
      const context = await browser.newContext({
        viewport: { width, height: 860 },
        deviceScaleFactor: SHARP,
        colorScheme: dark ? "dark" : "light",
        baseURL: server.url,
      });
      context.setDefaultTimeout(10_000);
      onTestFinished(() => context.close());
      await context.addCookies(cookies.get(key) ?? []);
      const page = await context.newPage();
      await page.goto(path);
      if (!cookies.has(key)) {
        await page.getByLabel("Key", { exact: true }).fill(key);
        await page.getByRole("button", { name: "Sign in" }).click();
      }
      await page.getByRole("navigation", { name: "Pages" }).waitFor();
      cookies.set(key, await context.cookies());
      return page;
    },
    /** Reports that ended within the last hour, one in nine of which failed. */
    async anHour(runs: number): Promise<void> {
      const key = crypto.randomUUID();
      const started = Array.from({ length: runs }, (_, i) =>
        hf.start(agents.report, { fails: i % 9 === 4 }, { key: `${key} ${i}` }),
      );
      await Promise.allSettled(started.map(async (run) => await (await run).result()));
      await sql(SPREAD, [`${key} %`]);
    },
    /** What the tenant spent on days that are over: dollars, the latest day last. A day without any has no row. */
    async spentBefore(days: readonly number[]): Promise<void> {
      for (const [i, dollars] of days.toReversed().entries())
        if (dollars > 0) await sql(DAY_BEFORE, [i + 1, usd(dollars)]);
    },
    async fresh(): Promise<Page> {
      const context = await browser.newContext({
        viewport: { width: 1280, height: 860 },
        deviceScaleFactor: SHARP,
        baseURL: server.url,
      });
      context.setDefaultTimeout(10_000);
      onTestFinished(() => context.close());
      return await context.newPage();
    },
  };
}

/** A picture for the documentation: as much of the window as something is in. Kept where PICTURES is set. */
export async function picture(page: Page, name: string): Promise<void> {
  const { width, height } = await page.evaluate(() => {
    const ends = [...document.querySelectorAll("main > *, dialog[open]")].map(
      (part) => part.getBoundingClientRect().bottom,
    );
    return { width: innerWidth, height: Math.min(innerHeight, Math.ceil(Math.max(...ends)) + 24) };
  });
  await page.mouse.move(0, 0);
  const path = process.env.PICTURES === undefined ? {} : { path: `${IMAGES}${name}.png` };
  await page.screenshot({ ...path, clip: { x: 0, y: 0, width, height } });
}
