import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { hasChromium, keys, picture, servedDashboard } from "./browser.ts";

const dashboard = servedDashboard();

const calls = (...calls: readonly { name: string; input: unknown }[]) => ({ calls });
const lookUp = (order: number) =>
  calls({ name: "lookup_order", input: { order } }, { name: "lookup_customer", input: { order } });
const refund = (order: number, cents: number) => calls({ name: "issue_refund", input: { order, cents } });
const wire = (order: number, cents: number) => calls({ name: "send_wire", input: { order, cents } });
const done = { text: "The money is on its way back: three to five working days." };

const hasText = async (page: Page, text: string | RegExp) => await page.getByText(text).first().waitFor();
const status = (page: Page) => page.locator(".run-head .status");
const start = async (ticket: ReturnType<typeof dashboard.ticket>, key: string) =>
  await dashboard.hf.start(dashboard.agents.support, ticket, {
    key,
    tags: ["tenant:acme"],
    budget: 2_000_000,
  });

describe.skipIf(!hasChromium)(
  "the dashboard (needs Chromium: apt-get install chromium, or set CHROMIUM)",
  () => {
    test("whoever has no key is asked for one, and one that is none is refused", async () => {
      const page = await dashboard.fresh();
      await page.goto("/runs/none");
      await page.getByLabel("Key", { exact: true }).fill("hfk_not-a-key");
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("alert").waitFor();
      await picture(page, "dashboard-sign-in");
      await page.getByLabel("Key", { exact: true }).fill(keys.ana);
      await page.getByRole("button", { name: "Sign in" }).click();
      await hasText(page, "There is no run none");
      await page.getByText("ana", { exact: true }).click();
      await page.getByRole("button", { name: "Sign out" }).click();
      await page.getByLabel("Key", { exact: true }).waitFor();
      const { status } = await page.request.get("/v1/runs").then((answer) => ({ status: answer.status() }));
      expect(status).toBe(401);
    });

    test("where a process was killed and another took over there is a divider, without a reload", async () => {
      const first = await dashboard.worker("issue_refund");
      const run = await start(dashboard.ticket(42, lookUp(42), refund(42, 1900), done), "killed");
      const page = await dashboard.page({ path: `/runs/${run.id}` });
      await first.says("issue_refund");
      await page.locator(".call.tone-live", { hasText: "issue_refund" }).waitFor();
      let loads = 0;
      page.on("load", () => loads++);
      expect(await page.getByTestId("divider").count()).toBe(0);
      await first.kill();
      await dashboard.worker();
      const divider = page.getByTestId("divider");
      await divider.waitFor();
      expect(await divider.textContent()).toMatch(
        /took over after a crash, another process.*not made again.*1 cut off/,
      );
      await status(page).getByText("succeeded").waitFor();
      expect(loads).toBe(0);
      const refunds = page.locator(".call", { hasText: "issue_refund" }).filter({ hasText: "idempotent" });
      expect(await refunds.allTextContents()).toEqual([
        expect.stringContaining("cut off"),
        expect.stringContaining("again"),
      ]);
      await picture(page, "dashboard-run-light");
      await refunds.last().click();
      await hasText(page, "idempotent: a repeat goes out with the same key");
      expect(new URL(page.url()).searchParams.get("at")).toMatch(/^\d+$/);
      await picture(page, "dashboard-call");
      const dark = await dashboard.page({ path: `/runs/${run.id}`, dark: true });
      await dark.getByTestId("divider").waitFor();
      await picture(dark, "dashboard-run-dark");
      await dark.getByRole("tab", { name: /Entries/i }).click();
      await hasText(dark, "takeover");
    });

    test("a question is answered in the inbox, and the run goes on", async () => {
      await dashboard.worker();
      const run = await start(dashboard.ticket(7, refund(7, 90_000), done), "large");
      const page = await dashboard.page({ path: "/inbox" });
      const card = page.getByTestId("question").filter({ hasText: run.id });
      await card.waitFor();
      expect(await card.textContent()).toContain("is called with exactly these arguments");
      await dashboard.hf.start(dashboard.agents.triage, null, { key: "where" });
      await page.getByTestId("question").filter({ hasText: "Which warehouse" }).waitFor();
      await picture(page, "dashboard-inbox");
      await card.getByLabel("Comment").fill("seen the parcel come back");
      await card.getByRole("button", { name: "Approve" }).click();
      await card.waitFor({ state: "detached" });
      expect(await run.result()).toBe(done.text);
      await page.goto(`/runs/${run.id}`);
      await hasText(page, "ana approved issue_refund (“seen the parcel come back”)");
    });

    test("a doubt is resolved on the run's page, and the run goes on with what it returned", async () => {
      const first = await dashboard.worker("send_wire");
      const run = await start(dashboard.ticket(9, wire(9, 120_000), done), "wired");
      await first.says("send_wire");
      await first.kill();
      await dashboard.worker();
      const page = await dashboard.page({ path: `/runs/${run.id}` });
      const card = page.getByTestId("doubt");
      await card.waitFor();
      await picture(page, "dashboard-doubt");
      await card.getByLabel("What it returned, if it happened: JSON or text").fill('{"reference":"W-9"}');
      await card.getByRole("button", { name: "It happened" }).click();
      await status(page).getByText("succeeded").waitFor();
      await hasText(page, "ana resolved send_wire: it happened");
      expect(await run.result()).toBe(done.text);
    });

    test("dead letters are redriven, one or many", async () => {
      await dashboard.worker();
      for (const key of ["a", "b"]) {
        const run = await dashboard.hf.start(dashboard.agents.nightly, { fails: true }, { key });
        await run.result().catch(() => {});
      }
      const page = await dashboard.page({ path: "/dead-letters" });
      await hasText(page, "the ledger of the bank does not answer");
      await page.getByLabel("All", { exact: true }).check();
      await picture(page, "dashboard-dead-letters");
      await page.getByRole("button", { name: "Redrive 2 runs" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Redrive 2 runs" }).click();
      await page
        .getByRole("dialog")
        .waitFor({ state: "detached" })
        .catch(() => {});
      const letters = await dashboard.hf.deadLetters.list();
      const redriven = await dashboard.hf.entries(letters[0]?.id ?? "");
      expect(
        redriven.some(
          (entry) => entry.kind === "command" && entry.command === "redrive" && entry.by === "ana",
        ),
      ).toBe(true);
    });

    test("a run that is started appears in the list by itself, and the address holds the filter", async () => {
      await dashboard.worker();
      const page = await dashboard.page({ path: "/?agent=report" });
      await hasText(page, "report");
      const run = await dashboard.hf.start(dashboard.agents.nightly, {}, { key: "by itself" });
      const line = page.getByRole("row").filter({ hasText: run.id });
      await line.getByText("succeeded").waitFor();
      await page.getByLabel("Status").selectOption("failed");
      await line.waitFor({ state: "detached" });
      expect(new URL(page.url()).search).toBe("?agent=report&status=failed");
      await page.goto("/");
      await hasText(page, "support");
      await picture(page, "dashboard-runs");
    });

    test("a fork begins behind an entry, and is compared with what it was forked from", async () => {
      await dashboard.worker();
      const ticket = dashboard.ticket(11, lookUp(11), refund(11, 2500), done);
      const run = await start(ticket, "forked");
      await run.result();
      const page = await dashboard.page({ path: `/runs/${run.id}` });
      await page.locator(".call.tool", { hasText: "lookup_customer" }).click();
      await page.getByRole("button", { name: "Fork here" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Fork here" }).click();
      await hasText(page, "fork of");
      await status(page).getByText("succeeded").waitFor();
      await page.getByRole("link", { name: "compare", exact: true }).click();
      const sides = page.locator(".totals .id");
      await sides.first().waitFor();
      expect(await sides.first().textContent()).toBe(run.id);
      await picture(page, "dashboard-diff");
    });

    test("a flow is drawn as the graph that it is", async () => {
      const { nightly, triage } = dashboard.agents;
      const flow = await dashboard.hf.flow("nightly", [
        { name: "fetch-cards", agent: nightly, input: {} },
        { name: "fetch-wires", agent: nightly, input: {} },
        { name: "which-warehouse", agent: triage },
        { name: "sum", agent: nightly, input: {}, after: ["fetch-cards", "fetch-wires"] },
        { name: "report", agent: nightly, input: {}, after: ["sum", "which-warehouse"] },
      ]);
      await dashboard.worker();
      await flow.runs.sum?.result();
      const page = await dashboard.page({ path: `/runs/${flow.runs.sum?.id}` });
      await page.getByRole("link", { name: "Flow", exact: true }).click();
      await page.locator(".node", { hasText: "which-warehouse" }).getByText("waiting: input").waitFor();
      expect(await page.locator(".node").count()).toBe(5);
      await picture(page, "dashboard-flow");
    });

    test("what is spent and who works on what is shown", async () => {
      await dashboard.worker();
      const run = await start(dashboard.ticket(12, lookUp(12), done), "spends");
      await run.result();
      const page = await dashboard.page({ path: "/budgets" });
      await hasText(page, "tag:tenant:acme");
      await hasText(page, /of \$5\.00/);
      await picture(page, "dashboard-budgets");
      await page.getByRole("link", { name: "Fleet" }).click();
      await hasText(page, "alive");
      expect(await page.getByRole("row").filter({ hasText: "support" }).count()).toBe(1);
      await picture(page, "dashboard-fleet");
    });

    test("a key that may only read is told why it may do nothing else", async () => {
      await dashboard.hf.start(dashboard.agents.triage, null, { key: "reader" });
      await dashboard.worker();
      const page = await dashboard.page({ key: keys.reader, path: "/inbox" });
      const approve = page.getByTestId("question").getByRole("button", { name: "Answer" }).first();
      await approve.waitFor();
      expect(await approve.isDisabled()).toBe(true);
      expect(await approve.getAttribute("title")).toContain("lacks the scope approve");
    });

    test("keys go to pages and through rows, and the colours are chosen", async () => {
      const page = await dashboard.page();
      await page.locator("[data-row]").first().waitFor();
      await page.keyboard.press("j");
      expect(await page.evaluate(() => document.activeElement?.hasAttribute("data-row"))).toBe(true);
      await page.keyboard.press("g");
      await page.keyboard.press("i");
      await page.waitForURL("**/inbox");
      const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
      const light = await ground();
      await page.getByText("ana", { exact: true }).click();
      await page.getByLabel("Colours").selectOption("dark");
      expect(await ground()).not.toBe(light);
    });

    test("at 360 pixels no page scrolls sideways, and no page tells of an error", async () => {
      const page = await dashboard.page({ width: 360 });
      const errors: string[] = [];
      page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
      const [run] = await dashboard.hf.runs.list({ agent: "support", limit: 1 });
      const pages = [
        "/",
        `/runs/${run?.id}`,
        `/runs/${run?.id}?tab=entries`,
        "/inbox",
        "/dead-letters",
        "/flows",
        "/budgets",
        "/fleet",
        `/diff?a=${run?.id}&b=${run?.id}`,
      ];
      for (const path of pages) {
        await page.goto(path);
        await page.getByRole("heading").first().waitFor({ state: "attached" });
        await page.waitForLoadState("load");
        const [content, window] = await page.evaluate(() => [
          document.documentElement.scrollWidth,
          innerWidth,
        ]);
        expect([path, content]).toEqual([path, window]);
        if (path === pages[1]) {
          await page.locator(".call").first().waitFor();
          await picture(page, "dashboard-run-narrow");
        }
      }
      expect(errors).toEqual([]);
    });
  },
);
