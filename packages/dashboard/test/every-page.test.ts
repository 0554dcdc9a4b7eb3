import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { hasChromium, servedDashboard } from "./browser.ts";
import { dimIn, namelessIn } from "./readable.ts";
import { checkFraud, done, hasText, lookUp, refund, status } from "./shop.ts";

const dashboard = servedDashboard();

/** A page and what stands on it once it is all there. */
type Shown = readonly [path: string, there: string];

const EMPTY: readonly Shown[] = [
  ["/", "There are no runs yet"],
  ["/inbox", "Nothing waits for you"],
  ["/dead-letters", "There are none"],
  ["/flows", "There are no flows"],
  ["/budgets", "No shared budget has been used yet"],
  ["/diff", "Name two runs"],
  ["/nowhere", "There is no such page"],
];

describe.skipIf(!hasChromium)(
  "every page (needs Chromium: apt-get install chromium, or set CHROMIUM)",
  () => {
    test("where there is nothing, it is said what would be there", async () => {
      const page = await dashboard.page();
      for (const [path, there] of EMPTY) {
        await page.goto(path);
        await hasText(page, there);
        expect(await page.getByRole("alert").count()).toBe(0);
      }
    });

    test("while it is loaded, it says so", async () => {
      const page = await dashboard.page();
      let answer = () => {};
      const held = new Promise<void>((resolve) => {
        answer = resolve;
      });
      await page.route("**/v1/dead-letters*", async (route) => {
        await held;
        await route.continue();
      });
      await page.getByRole("link", { name: "Dead letters" }).click();
      await page.getByRole("status").getByText("Loading dead letters").waitFor();
      expect(await page.getByText("There are none").count()).toBe(0);
      answer();
      await hasText(page, "There are none");
    });

    test("while the server is away it says so, and is right again without a reload once it is back", async () => {
      const run = await dashboard.start(dashboard.ticket(1, done), "before");
      const page = await dashboard.page();
      await page.getByRole("row").filter({ hasText: run.id }).waitFor();
      let loads = 0;
      page.on("load", () => loads++);
      const watching = await dashboard.page({ path: `/runs/${run.id}` });
      await status(watching).getByText("queued").waitFor();
      await dashboard.goesAway();
      await hasText(page, "not connected");
      await page.getByRole("link", { name: "Budgets" }).click();
      await page.getByRole("alert").getByText("The server cannot be reached").waitFor();
      await dashboard.worker();
      await run.result();
      await dashboard.comesBack();
      await page.getByText("not connected").waitFor({ state: "detached" });
      await hasText(page, "tag:tenant:acme");
      await page.getByRole("link", { name: "Runs" }).click();
      await page.getByRole("row").filter({ hasText: run.id }).getByText("succeeded").waitFor();
      await status(watching).getByText("succeeded").waitFor();
      await watching.locator(".event", { hasText: "Succeeded" }).waitFor();
      expect(loads).toBe(0);
    });

    test("a tail that is refused once, as by a proxy whose server is away, is asked for again", async () => {
      const run = await aRun();
      const page = await dashboard.page();
      let asked = 0;
      await page.route("**/v1/runs/*/tail*", (route) =>
        asked++ === 0 ? route.fulfill({ status: 502 }) : route.continue(),
      );
      await page.goto(`/runs/${run}`);
      await page.locator(".event", { hasText: "Succeeded" }).waitFor();
      expect(asked).toBe(2);
    });

    test("the address holds what is shown: a reload shows the same", async () => {
      const run = await aRun();
      const page = await dashboard.page();
      for (const path of pages(run)) {
        await page.goto(path);
        await settled(page);
        const [shown, address] = [await textOf(page), page.url()];
        await page.reload();
        await settled(page);
        expect(page.url()).toBe(address);
        await expect.poll(() => textOf(page)).toBe(shown);
      }
      await page.goto(`/runs/${run}`);
      await page.locator(".call.tool").first().click();
      await page.getByText("Arguments").waitFor();
      await page.reload();
      await page.getByText("Arguments").waitFor();
      await page.getByRole("link", { name: /^Entries/i }).click();
      await page.locator(".entry", { hasText: "outcome" }).click();
      await page.getByText('"status": "succeeded"').waitFor();
      await page.reload();
      await page.getByText('"status": "succeeded"').waitFor();
    });

    test.each([
      [1280, "light"],
      [1280, "dark"],
      [360, "light"],
      [360, "dark"],
    ] as const)(
      "at %i pixels, %s: no page scrolls sideways, all text can be read, all controls have names",
      async (width, theme) => {
        const run = await aRun();
        const page = await dashboard.page({ width, dark: theme === "dark" });
        const errors: string[] = [];
        page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
        for (const path of pages(run)) {
          await page.goto(path);
          await settled(page);
          const [content, window] = await page.evaluate(() => [
            document.documentElement.scrollWidth,
            innerWidth,
          ]);
          expect([path, content]).toEqual([path, window]);
          expect([path, await dimIn(page)]).toEqual([path, []]);
          expect([path, await namelessIn(page)]).toEqual([path, []]);
        }
        // Among them what the content security policy refuses.
        expect(errors).toEqual([]);
      },
    );

    test("keys go to pages, search, walk through rows and open them, and what has the focus is seen", async () => {
      await aRun();
      const page = await dashboard.page();
      await page.locator("[data-row]").first().waitFor();
      const focused = () => page.evaluate(() => document.activeElement?.textContent);
      const rows = await page.locator("[data-row]").allTextContents();
      await page.keyboard.press("j");
      expect(await focused()).toBe(rows[0]);
      await page.keyboard.press("j");
      expect(await focused()).toBe(rows[1]);
      await page.keyboard.press("k");
      await page.keyboard.press("Enter");
      await page.waitForURL(`**/runs/${rows[0]}`);
      for (const [key, path] of [
        ["i", "/inbox"],
        ["d", "/dead-letters"],
        ["f", "/flows"],
        ["b", "/budgets"],
        ["w", "/fleet"],
        ["r", "/"],
      ] as const) {
        await page.keyboard.press("g");
        await page.keyboard.press(key);
        await page.waitForURL(`**${path}`);
      }
      await page.getByRole("searchbox").waitFor();
      await page.keyboard.press("/");
      expect(await page.evaluate(() => document.activeElement?.getAttribute("type"))).toBe("search");
      await page.keyboard.type("g i?");
      expect(new URL(page.url()).searchParams.get("find")).toBe("g i?");
      await page.goto("/");
      await page.locator("[data-row]").first().waitFor();
      await page.keyboard.press("?");
      await page.getByRole("dialog", { name: "Keys" }).waitFor();
      await page.keyboard.press("Escape");
      await page.getByRole("dialog").waitFor({ state: "hidden" });
      for (let n = 0; n < 12; n++) {
        await page.keyboard.press("Tab");
        const outline = await page.evaluate(() => {
          const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement ?? document.body);
          return `${outlineStyle} ${Number.parseFloat(outlineWidth) >= 2}`;
        });
        expect(outline).toMatch(/^(solid|auto) true$/);
      }
    });

    test("the colours are chosen, and kept", async () => {
      const page = await dashboard.page();
      const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
      const light = await ground();
      await page.locator(".menu summary").click();
      await page.getByLabel("Colours").selectOption("dark");
      const dark = await ground();
      expect(dark).not.toBe(light);
      await page.reload();
      expect(await ground()).toBe(dark);
    });
  },
);

/** A run with calls in calls, one whose question waits, a dead letter and a flow. Started once. */
async function aRun(): Promise<string> {
  await dashboard.worker();
  const { report, triage } = dashboard.agents;
  const ticket = dashboard.ticket(2, lookUp(2), checkFraud(2), refund(2, 1900), done);
  const run = await once(() => dashboard.start(ticket, "looked at"));
  await run.result();
  await dashboard.hf.flow(
    "nightly",
    [
      { name: "where", agent: triage },
      { name: "sum", agent: report, input: {}, after: ["where"] },
    ],
    { key: "looked at" },
  );
  const dead = await dashboard.hf.start(report, { fails: true }, { key: "dead" });
  await dead.result().catch(() => {});
  return run.id;
}

let started: ReturnType<typeof dashboard.start> | undefined;
const once = (start: () => ReturnType<typeof dashboard.start>) => {
  started ??= start();
  return started;
};

const pages = (run: string) => [
  "/?status=succeeded&agent=support&tag=tenant:acme",
  "/?find=a",
  `/runs/${run}`,
  `/runs/${run}?tab=entries`,
  `/runs/${run}?tab=input+and+value`,
  "/inbox",
  "/dead-letters?find=bank",
  "/flows?name=nightly",
  "/budgets?scope=tag:tenant:acme",
  "/fleet",
  `/diff?a=${run}&b=${run}`,
];

/** All that was asked for has come. */
async function settled(page: Page): Promise<void> {
  await page.getByRole("heading").first().waitFor({ state: "attached" });
  await page
    .locator("main")
    .getByText(/^Loading /)
    .first()
    .waitFor({ state: "detached" });
  await page.waitForFunction(() => document.querySelectorAll("main > *").length > 1);
}

/** What stands on a page, apart from how long it took so far, and how long ago it was. */
const textOf = async (page: Page): Promise<string> =>
  ((await page.locator("main").textContent()) ?? "").replace(
    /just now|(in )?[\d.]+ (ms|s|min|h)( ago)?/g,
    "",
  );
