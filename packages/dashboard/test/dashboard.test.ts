import { describe, expect, test } from "vitest";
import { hasChromium, keys, picture, servedDashboard } from "./browser.ts";
import { checkFraud, done, hasText, lookUp, refund, status } from "./shop.ts";

const dashboard = servedDashboard();

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
      await page.locator(".menu summary").click();
      await page.getByRole("button", { name: "Sign out" }).click();
      await page.getByLabel("Key", { exact: true }).waitFor();
      const { status } = await page.request.get("/v1/runs").then((answer) => ({ status: answer.status() }));
      expect(status).toBe(401);
    });

    test("where a process was killed and another took over there is a divider, without a reload", async () => {
      const first = await dashboard.worker({ hangs: "issue_refund" });
      const run = await dashboard.start(
        dashboard.ticket(42, lookUp(42), checkFraud(42), refund(42, 1900), done),
        "killed",
      );
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
      await page.locator(".figures").getByText("of $2.00").waitFor();
      await picture(page, "dashboard-run-light");
      await refunds.last().click();
      await hasText(page, "idempotent: a repeat goes out with the same key");
      expect(new URL(page.url()).searchParams.get("at")).toMatch(/^\d+$/);
      await picture(page, "dashboard-call");
      const dark = await dashboard.page({ path: `/runs/${run.id}`, dark: true });
      await dark.getByTestId("divider").waitFor();
      await picture(dark, "dashboard-run-dark");
      await dark.getByRole("link", { name: /Entries/i }).click();
      await hasText(dark, "takeover");
      await picture(dark, "dashboard-entries");
      const narrow = await dashboard.page({ path: `/runs/${run.id}`, width: 360 });
      await narrow.getByTestId("divider").waitFor();
      await picture(narrow, "dashboard-run-narrow");
    });

    test("what is made in the body of a tool stands under it, and calls side by side overlap", async () => {
      await dashboard.worker();
      const run = await dashboard.start(dashboard.ticket(43, lookUp(43), checkFraud(43), done), "nested");
      await run.result();
      const page = await dashboard.page({ path: `/runs/${run.id}` });
      const depth = async (text: string) =>
        Number(await page.locator(".line", { hasText: text }).last().getAttribute("data-depth"));
      await hasText(page, "Succeeded");
      expect(await depth("-checker")).toBeGreaterThan(await depth("check_fraud"));
      const bars = page.locator(".call.tool", { hasText: "lookup_" }).locator(".bar-of");
      const [first, second] = [await bars.first().boundingBox(), await bars.last().boundingBox()];
      if (!first || !second) throw new Error("the calls are not drawn");
      expect(second.x).toBeLessThan(first.x + first.width);
      await page.locator(".call.tool", { hasText: "lookup_order" }).click();
      await page.locator(".facts dd", { hasText: "lookup_customer" }).waitFor();
      await page.locator(".call.model").first().click();
      await page.getByText("What it was asked").click();
      await hasText(page, "A customer asks for a refund of order 43.");
    });

    test("a model that another release asks otherwise is marked as drift, and the record answers", async () => {
      const first = await dashboard.worker({ hangs: "issue_refund" });
      const run = await dashboard.start(dashboard.ticket(44, lookUp(44), refund(44, 100), done), "drifts");
      await first.says("issue_refund");
      await first.kill();
      await dashboard.worker({ manner: "Be generous." });
      await run.result();
      const page = await dashboard.page({ path: `/runs/${run.id}` });
      const drifted = page.locator(".call.model", { has: page.getByText("drift", { exact: true }) });
      await drifted.first().click();
      await page.locator(".facts dd", { hasText: "asked otherwise than on record" }).waitFor();
      const said = page.locator(".event.tone-warn", { hasText: "the record answered" }).first();
      expect(await said.textContent()).toContain("asked otherwise than on record (prompt)");
    });

    test("a run that is started appears in the list by itself, and the address holds the filter", async () => {
      await dashboard.worker();
      const page = await dashboard.page({ path: "/?agent=report" });
      await hasText(page, "No run is like that");
      const run = await dashboard.hf.start(dashboard.agents.report, {}, { key: "by itself" });
      const line = page.getByRole("row").filter({ hasText: run.id });
      await page.getByLabel("Tag").fill("tenant:nobody");
      await page.keyboard.press("Enter");
      await line.waitFor({ state: "detached" });
      await page.getByLabel("Tag").fill("");
      await page.keyboard.press("Enter");
      await line.getByText("succeeded").waitFor();
      await page.getByLabel("Status").selectOption("failed");
      await line.waitFor({ state: "detached" });
      expect(new URL(page.url()).search).toBe("?agent=report&status=failed");
    });

    test("a flow is drawn as the graph that it is", async () => {
      const { report, triage } = dashboard.agents;
      const flow = await dashboard.hf.flow("nightly", [
        { name: "fetch-cards", agent: report, input: {} },
        { name: "fetch-wires", agent: report, input: {} },
        { name: "which-warehouse", agent: triage },
        { name: "sum", agent: report, input: {}, after: ["fetch-cards", "fetch-wires"] },
        { name: "report", agent: report, input: {}, after: ["sum", "which-warehouse"] },
      ]);
      await dashboard.worker();
      await flow.runs.sum?.result();
      const page = await dashboard.page({ path: `/runs/${flow.runs.sum?.id}` });
      await page.getByRole("link", { name: "Flow", exact: true }).click();
      await page.locator(".node", { hasText: "which-warehouse" }).getByText("waiting: input").waitFor();
      const byRun = page.url();
      expect(await page.locator(".node").count()).toBe(5);
      await picture(page, "dashboard-flow");
      await dashboard.hf.flow("hourly", [{ name: "count", agent: report, input: {} }], { by: "cron" });
      await page.getByRole("link", { name: "Flows" }).click();
      await page.getByRole("row").filter({ hasText: "hourly" }).getByText("1 ✓ succeeded").waitFor();
      const row = page.getByRole("row").filter({ hasText: "nightly" });
      expect(await row.locator(".counts").textContent()).toBe("2 ◇ waiting3 ✓ succeeded");
      await picture(page, "dashboard-flows");
      await row.getByRole("link", { name: "nightly" }).click();
      await page.locator(".node").nth(4).waitFor();
      expect(new URL(page.url()).pathname).toBe(new URL(byRun).pathname);
    });

    test("what is spent and who works on what is shown", async () => {
      await dashboard.worker();
      const run = await dashboard.start(dashboard.ticket(12, lookUp(12), done), "spends");
      await run.result();
      await dashboard.anHour(80);
      await dashboard.spentBefore([1.9, 3.2, 2.6, 4.4, 5, 0, 0.7, 2.9, 3.6, 4.1, 2.2, 3]);
      const page = await dashboard.page({ path: "/budgets" });
      await hasText(page, "tag:tenant:acme");
      await hasText(page, /of \$5\.00/);
      expect(await page.locator(".column").count()).toBe(13);
      await picture(page, "dashboard-budgets");
      await page.getByRole("link", { name: "Fleet" }).click();
      await hasText(page, "alive");
      expect(await page.getByRole("row").filter({ hasText: "support" }).count()).toBe(1);
      const chart = page.getByRole("img", { name: /^Runs that ended in the last hour/ });
      expect(await chart.getAttribute("aria-label")).toMatch(/\d+ succeeded, \d+ failed/);
      expect(await chart.locator(".part.of-failed").count()).toBeGreaterThan(1);
      await dashboard.hf.schedule("every night", {
        cron: "0 3 * * *",
        agent: dashboard.agents.report,
        input: {},
      });
      await page.getByRole("row").filter({ hasText: "0 3 * * *" }).getByText("report").waitFor();
      await page.getByText("✓ alive").first().waitFor(); // a process without a worker beats as well
      await picture(page, "dashboard-fleet");
      await page.getByRole("link", { name: "Runs", exact: true }).click();
      const rows = page.locator("tbody tr");
      await rows.nth(49).waitFor();
      expect(await rows.count()).toBe(50);
      await page.getByRole("button", { name: "Older runs" }).click();
      await rows.nth(79).waitFor();
    });

    test("where the last worker was killed it is said that none has the agent, and why a run does not move", async () => {
      const worker = await dashboard.worker();
      const page = await dashboard.page({ path: "/fleet" });
      await hasText(page, "✓ alive");
      await worker.kill();
      const waiting = await dashboard.start(dashboard.ticket(13, done), "queued");
      const support = page.getByRole("row").filter({ hasText: "support" });
      await support.getByText("no living worker has it").waitFor();
      await support.getByRole("link", { name: "1", exact: true }).click();
      await page.getByRole("link", { name: waiting.id }).click();
      await hasText(page, "It waits for a worker, and none that is alive has support.");
      expect(await status(page).textContent()).toContain("queued");
    });
  },
);
