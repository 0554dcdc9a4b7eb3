import { describe, expect, test } from "vitest";
import { hasChromium, picture, servedDashboard } from "./browser.ts";
import { done, hasText, lookUp, refund } from "./shop.ts";

const dashboard = servedDashboard();

describe.skipIf(!hasChromium)(
  "replaying in the browser (needs Chromium: apt-get install chromium, or set CHROMIUM)",
  () => {
    test("a trace says whether the code still does what is on record, and writes nothing", async () => {
      await dashboard.worker();
      const run = await dashboard.start(dashboard.ticket(1, lookUp(1), refund(1, 1900), done), "follows");
      await run.result();
      const page = await dashboard.page({ path: `/runs/${run.id}` });
      const before = await run.entries();
      await page.getByRole("button", { name: "Replay" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByRole("button", { name: "Replay" }).click();
      await dialog.getByText("The code does what is on record, and nothing else.").waitFor();
      expect(await run.entries()).toEqual(before);
      expect((await dashboard.hf.runs.list({})).map(({ id }) => id)).toEqual([run.id]);
    });

    test("a trace shows where another release departs from the record", async () => {
      await dashboard.worker({ manner: "Be generous." });
      const run = await dashboard.start(dashboard.ticket(2, done), "departs");
      await run.result();
      const page = await dashboard.page({ path: `/runs/${run.id}` });
      await page.getByRole("button", { name: "Replay" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByRole("button", { name: "Replay" }).click();
      await dialog.getByText("The code departs from the record.").waitFor();
      await dialog.locator(".gone", { hasText: "Be generous." }).waitFor();
      expect(await dialog.evaluate((open) => open.scrollWidth <= open.clientWidth)).toBe(true);
      await dialog.locator(".come", { hasText: "Do what the policy allows." }).waitFor();
      await picture(page, "dashboard-replay");
      expect(await dialog.locator("article").count()).toBe(1);
    });

    test("a replay from another input is a run of its own, and is compared with the run", async () => {
      await dashboard.worker();
      const ticket = dashboard.ticket(3, lookUp(3), done);
      const run = await dashboard.start(ticket, "what if");
      await run.result();
      const page = await dashboard.page({ path: `/runs/${run.id}` });
      await page.getByRole("button", { name: "Replay" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel("What if something had been otherwise?").check();
      await dialog.getByRole("button", { name: "Change the input" }).click();
      const input = dialog.getByLabel("Input, as JSON");
      await input.fill("{");
      expect(await dialog.getByRole("button", { name: "Replay" }).isDisabled()).toBe(true);
      await input.fill(JSON.stringify({ ...ticket, order: 4 }));
      await dialog.getByRole("button", { name: "Replay" }).click();
      await page.waitForURL("**/diff?**");
      const sides = page.locator(".totals .id");
      await sides.last().waitFor();
      const [of, replay] = await sides.allTextContents();
      expect(of).toBe(run.id);
      await hasText(page, "something else was asked");
      const entries = await dashboard.hf.entries(replay ?? "");
      expect(entries.find((entry) => entry.kind === "note" && entry.note === "forked")).toMatchObject({
        by: "ana",
      });
    });
  },
);
