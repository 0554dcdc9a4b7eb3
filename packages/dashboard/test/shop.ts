import type { Page } from "playwright-core";

const calls = (...calls: readonly { name: string; input: unknown }[]) => ({ calls });

/** What the clerk's model says in a turn. */
export const lookUp = (order: number) =>
  calls({ name: "lookup_order", input: { order } }, { name: "lookup_customer", input: { order } });
export const checkFraud = (order: number) => calls({ name: "check_fraud", input: { order } });
export const refund = (order: number, cents: number) =>
  calls({ name: "issue_refund", input: { order, cents } });
export const wire = (order: number, cents: number) => calls({ name: "send_wire", input: { order, cents } });
export const done = { text: "The money is on its way back: three to five working days." };

/** What stands on a page. */
export const hasText = async (page: Page, text: string | RegExp) =>
  await page.getByText(text).first().waitFor();
export const status = (page: Page) => page.locator(".run-head .status");

/** A button that asks first, and the same in what it asks. */
export async function press(page: Page, name: string, fillIn = async () => {}): Promise<void> {
  await page.getByRole("button", { name, exact: true }).click();
  await fillIn();
  await page.getByRole("dialog").getByRole("button", { name, exact: true }).click();
  await page.getByRole("dialog").waitFor({ state: "hidden" });
}
