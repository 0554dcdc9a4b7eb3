import type { Page } from "playwright-core";

/** Text of less contrast than WCAG 2 asks for at level AA: 4.5 to 1, of large text 3 to 1. What is disabled may be dim. */
export const dimIn = (page: Page): Promise<string[]> =>
  page.evaluate(() => {
    type Colour = readonly [number, number, number, number];
    const read = (text: string): Colour => {
      const [r = 0, g = 0, b = 0, a = 1] = text.match(/[\d.]+/g)?.map(Number) ?? [];
      return [r, g, b, a];
    };
    const over = ([r, g, b, a]: Colour, [R, G, B]: Colour): Colour => {
      const mix = (top: number, below: number) => top * a + below * (1 - a);
      return [mix(r, R), mix(g, G), mix(b, B), 1];
    };
    const groundOf = (element: Element | null): Colour => {
      if (!element) return [255, 255, 255, 1];
      const own = read(getComputedStyle(element).backgroundColor);
      return own[3] === 1 ? own : over(own, groundOf(element.parentElement));
    };
    const luminance = ([r, g, b]: Colour) => {
      const linear = (channel: number) =>
        channel <= 10.31 ? channel / 3294.6 : ((channel / 255 + 0.055) / 1.055) ** 2.4;
      return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    };
    const dim: string[] = [];
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = texts.nextNode(); node; node = texts.nextNode()) {
      const element = node.parentElement;
      const said = node.textContent?.trim();
      if (!element || !said || !element.checkVisibility()) continue;
      if (element.closest("[aria-disabled=true], :disabled, option")) continue;
      const { color, fontSize, fontWeight } = getComputedStyle(element);
      const ground = groundOf(element);
      const [one, other] = [luminance(over(read(color), ground)), luminance(ground)];
      const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
      const size = Number.parseFloat(fontSize);
      const isLarge = size >= 24 || (size >= 18.66 && Number(fontWeight) >= 700);
      if (contrast < (isLarge ? 3 : 4.5)) dim.push(`${said}: ${contrast.toFixed(2)}`);
    }
    return dim;
  });

const NAMELESS = /^\s*- (button|link|textbox|searchbox|combobox|checkbox|radio|spinbutton|img)(?! ")/;

/** Controls and pictures that a screen reader has no name for. */
export async function namelessIn(page: Page): Promise<string[]> {
  const tree = await page.locator("body").ariaSnapshot();
  return tree.split("\n").filter((line) => NAMELESS.test(line));
}
