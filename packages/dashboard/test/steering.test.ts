import { usd } from "@holdfast/core";
import { describe, expect, test } from "vitest";
import { hasChromium, keys, picture, servedDashboard } from "./browser.ts";
import { done, hasText, lookUp, press, refund, status, wire } from "./shop.ts";

const dashboard = servedDashboard();

/** Who told a run what, as its ledger has it. */
const told = async (id: string) =>
  (await dashboard.hf.entries(id)).flatMap((entry) =>
    entry.kind === "command" ? [`${entry.command} by ${entry.by}`] : [],
  );

describe.skipIf(!hasChromium)(
  "steering in the browser (needs Chromium: apt-get install chromium, or set CHROMIUM)",
  () => {
    test("a run that is paused stays where it is until it is resumed", async () => {
      const run = await dashboard.start(dashboard.ticket(1, done), "paused");
      const page = await dashboard.page({ path: `/runs/${run.id}` });
      await press(page, "Pause");
      await hasText(page, "It is paused.");
      await dashboard.worker();
      const other = await dashboard.start(dashboard.ticket(2, done), "not paused");
      await other.result();
      expect(await status(page).textContent()).toContain("queued");
      await press(page, "Resume");
      await status(page).getByText("succeeded").waitFor();
      expect(await told(run.id)).toEqual(["pause by ana", "resume by ana"]);
    });

    test("a run that is cancelled ends, and the process that worked on it lets go", async () => {
      const worker = await dashboard.worker({ hangs: "issue_refund" });
      const run = await dashboard.start(dashboard.ticket(3, refund(3, 1900), done), "cancelled");
      const page = await dashboard.page({ path: `/runs/${run.id}` });
      await worker.says("issue_refund");
      await status(page).getByText("running").waitFor();
      await page.getByRole("button", { name: "Cancel" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Leave it" }).click();
      expect(await told(run.id)).toEqual([]);
      await press(page, "Cancel");
      await status(page).getByText("cancelled").waitFor();
      await hasText(page, "ana told it to stop for good");
      expect(await told(run.id)).toEqual(["cancel by ana"]);
    });

    test("a run whose budget is too small waits for it, and goes on once it is raised", async () => {
      await dashboard.worker();
      const { support } = dashboard.agents;
      const ticket = dashboard.ticket(4, lookUp(4), done);
      const run = await dashboard.hf.start(support, ticket, { key: "poor", budget: usd(0.01) });
      const page = await dashboard.page({ path: `/runs/${run.id}` });
      await status(page).getByText("waiting: budget").waitFor();
      await page.getByRole("button", { name: "Raise budget" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel("New cap in dollars").fill("0.005");
      expect(await dialog.getByRole("button", { name: "Raise budget" }).isDisabled()).toBe(true);
      await dialog.getByLabel("New cap in dollars").fill("3");
      await dialog.getByRole("button", { name: "Raise budget" }).click();
      await status(page).getByText("succeeded").waitFor();
      await page.locator(".figures").getByText("of $3.00").waitFor();
      expect(await run.result()).toBe(done.text);
    });

    test("a question is answered in the inbox, and the run goes on", async () => {
      await dashboard.worker();
      const run = await dashboard.start(dashboard.ticket(7, refund(7, 90_000), done), "large");
      const page = await dashboard.page({ path: "/inbox" });
      const card = page.getByTestId("question").filter({ hasText: run.id });
      await card.waitFor();
      expect(await card.textContent()).toContain("is called with exactly these arguments");
      await dashboard.hf.start(dashboard.agents.triage, null, { key: "where" });
      const input = page.getByTestId("question").filter({ hasText: "Which warehouse" });
      await input.waitFor();
      await picture(page, "dashboard-inbox");
      await card.getByLabel("Comment").fill("seen the parcel come back");
      await card.getByRole("button", { name: "Approve" }).click();
      await card.waitFor({ state: "detached" });
      expect(await run.result()).toBe(done.text);
      await input.getByLabel("Answer").fill("Hamburg");
      await hasText(page, 'The run goes on with "Hamburg".');
      await input.getByRole("button", { name: "Answer" }).click();
      await hasText(page, "Nothing waits for you");
      await page.goto(`/runs/${run.id}`);
      await hasText(page, "ana approved issue_refund (“seen the parcel come back”)");
    });

    test("a call is approved with other arguments, and goes out with those", async () => {
      await dashboard.worker();
      const run = await dashboard.start(dashboard.ticket(8, refund(8, 80_000), done), "changed");
      const page = await dashboard.page({ path: `/runs/${run.id}` });
      await page.getByRole("button", { name: "Change the arguments" }).click();
      const edit = page.getByLabel("Arguments it is called with, as JSON");
      await edit.fill("{ order: 8");
      await hasText(page, "This is not JSON.");
      expect(await page.getByRole("button", { name: "Approve" }).isDisabled()).toBe(true);
      await edit.fill('{ "order": 8, "cents": 40000 }');
      await page.getByRole("button", { name: "Approve" }).click();
      await status(page).getByText("succeeded").waitFor();
      const entries = await dashboard.hf.entries(run.id);
      const intent = entries.find((entry) => entry.kind === "intent" && entry.name === "issue_refund");
      expect(intent).toMatchObject({ input: { order: 8, cents: 40_000 } });
      await page.locator(".call", { hasText: "issue_refund" }).getByText('"cents":40000').waitFor();
    });

    test("a call that is denied does not go out, and the model is told so", async () => {
      await dashboard.worker();
      const run = await dashboard.start(dashboard.ticket(9, refund(9, 70_000), done), "denied");
      const page = await dashboard.page({ path: `/runs/${run.id}` });
      await page.getByLabel("Comment").fill("paid back already");
      await page.getByRole("button", { name: "Deny" }).click();
      await status(page).getByText("succeeded").waitFor();
      await hasText(page, "ana denied issue_refund (“paid back already”)");
      const kinds = (await dashboard.hf.entries(run.id)).filter(({ kind }) => kind === "refusal");
      expect(kinds).toMatchObject([{ name: "issue_refund" }]);
    });

    test("a doubt is resolved on the run's page, and the run goes on with what it returned", async () => {
      const first = await dashboard.worker({ hangs: "send_wire" });
      const run = await dashboard.start(dashboard.ticket(10, wire(10, 120_000), done), "wired");
      await first.says("send_wire");
      await first.kill();
      const second = await dashboard.worker();
      const page = await dashboard.page({ path: `/runs/${run.id}` });
      const card = page.getByTestId("doubt");
      await card.waitFor();
      await page.locator(".call.tone-warn", { hasText: "in doubt" }).waitFor();
      await status(page).getByText("waiting: doubt").waitFor();
      await picture(page, "dashboard-doubt");
      await card.getByLabel("What it returned, if it happened: JSON or text").fill('{"reference":"W-9"}');
      await card.getByRole("button", { name: "It happened" }).click();
      await status(page).getByText("succeeded").waitFor();
      await hasText(page, "ana resolved send_wire: it happened");
      expect(await run.result()).toBe(done.text);
      expect(second.lines.map(({ at }) => at)).not.toContain("send_wire");
    });

    test("a doubt that did not happen is called again, with the same key", async () => {
      const first = await dashboard.worker({ hangs: "send_wire" });
      const run = await dashboard.start(dashboard.ticket(11, wire(11, 5000), done), "not wired");
      await first.says("send_wire");
      await first.kill();
      const second = await dashboard.worker();
      const page = await dashboard.page({ path: "/inbox" });
      const card = page.getByTestId("doubt").filter({ hasText: run.id });
      await card.getByLabel("Comment").fill("the bank has no such transfer");
      await card.getByRole("button", { name: "It did not happen" }).click();
      await second.says("send_wire");
      expect(await run.result()).toBe(done.text);
      const sent = (await dashboard.hf.entries(run.id)).flatMap((entry) =>
        entry.kind === "intent" && entry.name === "send_wire" ? [entry.key] : [],
      );
      expect(sent).toEqual([sent[0], sent[0]]);
    });

    test("dead letters are redriven once the cause is mended: one, or many", async () => {
      const first = await dashboard.worker();
      const { report } = dashboard.agents;
      for (const key of ["a", "b", "c"])
        await (await dashboard.hf.start(report, { fails: true }, { key })).result().catch(() => {});
      await first.kill();
      const page = await dashboard.page({ path: "/dead-letters" });
      const letters = page.getByRole("row").filter({ hasText: "the ledger of the bank does not answer" });
      await letters.nth(2).waitFor();
      const one = await letters.last().getByRole("link").textContent();
      await letters.last().getByRole("checkbox").check();
      await press(page, "Redrive 1 run");
      await letters.nth(2).waitFor({ state: "detached" });
      expect(await told(one ?? "")).toEqual(["redrive by ana"]);
      await page.getByLabel("All", { exact: true }).check();
      await picture(page, "dashboard-dead-letters");
      await dashboard.worker({ bankAnswers: true });
      await press(page, "Redrive 2 runs");
      await hasText(page, "There are none");
      await page.goto("/?agent=report&status=succeeded");
      await page.getByRole("row").nth(3).waitFor();
    });

    test("a fork begins behind a call with another output, and is compared with what it was forked from", async () => {
      await dashboard.worker();
      const ticket = dashboard.ticket(12, lookUp(12), refund(12, 2500), done);
      const run = await dashboard.start(ticket, "forked");
      await run.result();
      const page = await dashboard.page({ path: `/runs/${run.id}` });
      await page.locator(".call.tool", { hasText: "lookup_customer" }).click();
      await page.getByRole("button", { name: "Fork here" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByRole("button", { name: "Change what it returned" }).click();
      const output = dialog.getByLabel("What lookup_customer is to have returned, as JSON");
      expect(JSON.parse(await output.inputValue())).toMatchObject({ tool: "lookup_customer" });
      await output.fill('{ "name": "gone", "disputes": 3 }');
      await picture(page, "dashboard-fork");
      await dialog.getByLabel("Id of the new run").fill("what-if");
      await dialog.getByRole("button", { name: "Fork here" }).click();
      await page.waitForURL("**/runs/what-if");
      await hasText(page, "fork of");
      await status(page).getByText("succeeded").waitFor();
      await hasText(page, `Forked from ${run.id}`);
      await page.getByRole("link", { name: "compare", exact: true }).click();
      const sides = page.locator(".totals .id");
      await sides.first().waitFor();
      expect(await sides.allTextContents()).toEqual([run.id, "what-if"]);
      await page
        .locator(".parts dl > div", { hasText: /^disputes/ })
        .getByText("+ 3")
        .waitFor();
      await picture(page, "dashboard-diff");
    });

    test("a fork before a call makes it anew, from another input", async () => {
      await dashboard.worker();
      const ticket = dashboard.ticket(13, lookUp(13), done);
      const run = await dashboard.start(ticket, "anew");
      await run.result();
      const page = await dashboard.page({ path: `/runs/${run.id}` });
      await page.locator(".call.model").first().click();
      await page.getByRole("button", { name: "Fork here" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel("Before it: it is made anew").check();
      await dialog.getByRole("button", { name: "Change the input of the run" }).click();
      await dialog.getByLabel("Input of the new run, as JSON").fill(JSON.stringify({ ...ticket, order: 14 }));
      await dialog.getByRole("button", { name: "Fork here" }).click();
      await page.waitForURL(/~/);
      await status(page).getByText("succeeded").waitFor();
      await page.getByRole("link", { name: "Input and value" }).click();
      await hasText(page, '"order": 14');
      const models = (await run.entries()).filter(
        (entry) => entry.kind === "observation" && entry.call === "model",
      );
      expect(models).toHaveLength(2);
    });

    test("a key that may only read is told why it may do nothing else", async () => {
      const { report, triage } = dashboard.agents;
      await dashboard.hf.start(triage, null, { key: "reader" });
      await dashboard.hf.start(report, { fails: true }, { key: "d" });
      await dashboard.worker();
      const page = await dashboard.page({ key: keys.reader });
      await page.locator(".runs .status", { hasText: "failed" }).waitFor();
      await page.locator(".runs .status", { hasText: "waiting: input" }).waitFor();
      await picture(page, "dashboard-runs");
      await page.getByRole("link", { name: "Inbox" }).click();
      const answer = page.getByTestId("question").getByRole("button", { name: "Answer" }).first();
      await answer.waitFor();
      expect(await answer.isDisabled()).toBe(true);
      expect(await answer.getAttribute("title")).toContain("lacks the scope approve");
    });
  },
);
