import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type Holdfast, openHoldfast } from "@holdfast/core";
import { newKey, type Server, serve } from "@holdfast/server";
import { type Browser, type Cookie, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, inject, onTestFinished } from "vitest";
import { freshDatabase } from "../../../test/fresh-database.ts";
import { Child } from "../../../test/process.ts";
import { ScriptedModel, type Turn } from "../../adapter-vercel-ai/test/scripted-model.ts";
import { options, registerAgents, type Ticket } from "./support.ts";

const found = inject("dashboard");

/** Where no Chromium is installed, the tests in one are skipped, and their name says so. */
export const hasChromium = found !== null;

const IMAGES = fileURLToPath(new URL("../../../docs/images/", import.meta.url));
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

  beforeAll(async () => {
    if (!found) return;
    await mkdir(IMAGES, { recursive: true });
    await model.listen();
    database = await freshDatabase();
    hf = await openHoldfast({ database: database.url, ...options });
    agents = registerAgents(hf, async () => ({}));
    server = await serve(hf, { keys: [ana.key, reader.key], port: 0, dashboard: found.folder });
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
    get url() {
      return server.url;
    },
    get database() {
      return database.url;
    },
    /** A ticket for the support agent, whose model says this. */
    ticket(order: number, ...turns: readonly Turn[]): Ticket {
      const name = `clerk-${++tickets}`;
      model.script(name, ...turns);
      return { order, model: name, modelUrl: model.url };
    },
    /** A worker in a process of its own, which never comes back from a tool that it `hangs` in. */
    async worker(hangs = ""): Promise<Child> {
      const child = new Child("../packages/dashboard/test/worker.ts", [database.url, hangs]);
      onTestFinished(() => child.kill());
      await child.says("working");
      return child;
    },
    /** A page of whoever has this key, signed in. */
    async page({ key = ana.text, width = 1280, dark = false, path = "/" } = {}): Promise<Page> {
      const context = await browser.newContext({
        viewport: { width, height: 860 },
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
    async fresh(): Promise<Page> {
      const context = await browser.newContext({
        viewport: { width: 1280, height: 860 },
        baseURL: server.url,
      });
      context.setDefaultTimeout(10_000);
      onTestFinished(() => context.close());
      return await context.newPage();
    },
  };
}

/** A picture for the documentation. */
export const picture = async (page: Page, name: string): Promise<void> => {
  await page.screenshot({ path: `${IMAGES}${name}.png` });
};
