import { expect, test } from "vitest";
import { fits, leftOf, NOTHING, tighter } from "../src/budget/amount.ts";
import { limitsOf } from "../src/budget/cap.ts";
import { usd } from "../src/budget/money.ts";
import { checkPrices, declaredPrice, microsAt, priceInTable, priceOf } from "../src/budget/price.ts";
import { budgetSettings } from "../src/budget/settings.ts";
import { settle, settleFailed } from "../src/budget/settle.ts";
import {
  type AskedModel,
  costOf,
  countInput,
  FEWEST_TOKENS,
  IMAGE_TOKENS,
  UNCAPPED_TOKENS,
  worstCase,
} from "../src/budget/worst-case.ts";
import { must } from "../src/must.ts";
import { findPrice } from "../src/price-table.ts";

const invalid = "(INVALID_ARGUMENT)";
const price = priceOf({ inputPerMillion: usd(1), outputPerMillion: usd(10) });
const counted = { inputTokens: 1000, hasMedia: false, hasLongCache: false };
const asking: AskedModel = { provider: "acme", model: "m" };

test.each([
  [2, 2_000_000],
  [0.29, 290_000],
  [0.1 + 0.2, 300_000],
  [0.000_000_1, 1],
  [0, 0],
])("%d dollars are %i micro-dollars", (dollars, micros) => {
  expect(usd(dollars)).toBe(micros);
});

test.each([[-1], [Number.NaN], [Number.POSITIVE_INFINITY], [1e12], ["2"]])(
  "%s is no amount of dollars",
  (dollars) => {
    expect(() => usd(dollars as number)).toThrow(invalid);
  },
);

test("a cap is money, or limits of several units", () => {
  expect(limitsOf("cap", usd(2))).toEqual({ micros: 2_000_000 });
  expect(limitsOf("cap", { tokens: 10, calls: 3 })).toEqual({ tokens: 10, calls: 3 });
});

test.each([[0.5], [-1], [{}], [{ dollars: 2 }], [{ tokens: 1.5 }], [null]])("%j is no cap", (cap) => {
  expect(() => limitsOf("cap", cap as never)).toThrow(invalid);
});

test("an amount fits where no unit of it is over what is left", () => {
  const left = leftOf({ micros: 10, calls: 1 }, { ...NOTHING, micros: 4 });
  expect(left).toEqual({ micros: 6, calls: 1 });
  expect(fits({ micros: 6, tokens: 999, calls: 1 }, left)).toBe(true);
  expect(fits({ micros: 7, tokens: 0, calls: 1 }, left)).toBe(false);
  expect(fits({ micros: 0, tokens: 0, calls: 2 }, left)).toBe(false);
  expect(tighter({ micros: 5, tokens: 9 }, { micros: 7, calls: 2 })).toEqual({
    micros: 5,
    tokens: 9,
    calls: 2,
  });
});

test.each([
  ["a limit it does not know", { budget: { perDay: 1 } }],
  ["what is low and not said how", { budget: { onLow: "stop" } }],
  ["no budget", { budget: 2 }],
  ["a price in fractions", { prices: { m: { inputPerMillion: 0.5, outputPerMillion: 1 } } }],
  ["a price without output", { prices: { m: { inputPerMillion: 1 } } }],
  [
    "a price with a field it does not know",
    { prices: { m: { inputPerMillion: 1, outputPerMillion: 1, x: 1 } } },
  ],
])("%s is refused", (_, { budget, prices }: { budget?: unknown; prices?: unknown }) => {
  expect(() => budgetSettings({ budget, prices } as never)).toThrow(invalid);
});

test("a declared price is found by provider and model, by model, by glob, and not by the glob for everything", () => {
  const [a, b, c, d] = [1, 2, 3, 4].map((n) => ({ inputPerMillion: n, outputPerMillion: n }));
  const prices = { "acme/m": a, m: b, "n*": c, "*": d } as never;
  checkPrices(prices);
  expect(declaredPrice(prices, "acme", "m")).toBe(a);
  expect(declaredPrice(prices, "other", "m")).toBe(b);
  expect(declaredPrice(prices, "other", "n1")).toBe(c);
  expect(declaredPrice(prices, "other", "x")).toBeUndefined();
});

test("a price is the declared one, else the table's, else the default; and else nobody knows", async () => {
  const own = { inputPerMillion: 7, outputPerMillion: 7 };
  expect((await findPrice({ "gpt-5": own }, "openai.responses", "gpt-5"))?.input).toEqual([
    { above: 0, micros: 7 },
  ]);
  expect(await findPrice({ "*": own }, "openai.responses", "gpt-5")).toMatchObject({
    input: [{ above: 0, micros: usd(1.25) }],
    cachedInput: [{ above: 0, micros: usd(0.125) }],
    output: [{ above: 0, micros: usd(10) }],
  });
  expect((await findPrice({ "*": own }, "gateway", "openai/gpt-5"))?.output).toEqual([
    { above: 0, micros: usd(10) },
  ]);
  expect((await findPrice({ "*": own }, "acme", "m"))?.input).toEqual([{ above: 0, micros: 7 }]);
  expect(await findPrice({}, "acme", "m")).toBeUndefined();
});

test.each([
  ["gateway", "openai/gpt-4o", 2.5],
  ["gateway", "anthropic/claude-sonnet-4.5", 3],
  ["gateway", "xai/grok-4", 3],
  ["openrouter", "openai/gpt-4o", 2.5],
  ["openrouter.chat", "anthropic/claude-3.5-sonnet", 3],
  ["azure", "gpt-4o", 2.5],
  ["azure.responses", "gpt-4o", 2.5],
  ["groq.chat", "llama-3.3-70b-versatile", 0.59],
  ["xai.chat", "grok-4", 3],
  ["google_genai", "gemini-2.5-flash", 0.3],
  ["google.vertex.chat", "gemini-2.5-flash", 0.3],
  ["amazon-bedrock", "anthropic.claude-3-5-sonnet-20241022-v2:0", 3],
  ["litellm", "azure/gpt-4o", 2.5],
])("%s is known to ask %s for $%d a million tokens of input", async (provider, model, dollars) => {
  expect((await findPrice({}, provider, model))?.input[0]?.micros).toBe(usd(dollars));
});

test.each([
  ["a gateway's model of a provider that is not known", "gateway", "nobody/gpt-4o"],
  ["a gateway's model that names no provider", "gateway", "gpt-4o"],
  ["a model that another provider has", "acme", "gpt-4o"],
  ["a gateway's model, asked by a client of OpenAI's", "openai.chat", "openai/gpt-4o"],
  ["a deployment with a name of its own", "azure", "our-deployment"],
  ["a model that is listed without a price", "openrouter", "meta-llama/llama-3.3-70b-instruct:free"],
  ["a model that a router chooses", "openrouter", "openrouter/auto"],
])("%s has no price, and is never free", async (_, provider, model) => {
  expect(await findPrice({}, provider, model)).toBeUndefined();
  const own = { inputPerMillion: 7, outputPerMillion: 7 };
  expect((await findPrice({ "*": own }, provider, model))?.input[0]?.micros).toBe(7);
});

test("of a price in tiers the one counts that the request's input exceeds", () => {
  const row = {
    input_mtok: { base: 3, tiers: [{ start: 200, price: 6 }] },
    output_mtok: 15,
    requests_kcount: 5,
  };
  const tiered = must(priceInTable(row, 1000), "the price");
  expect([200, 201].map((tokens) => microsAt(tiered.input, tokens))).toEqual([usd(3), usd(6)]);
  expect(tiered.perCall).toBe(usd(0.005));
  expect(costOf({ inputTokens: 200, outputTokens: 0 }, counted, tiered)).toBe(usd(0.005) + 600);
  expect(costOf({ inputTokens: 201, outputTokens: 0 }, counted, tiered)).toBe(usd(0.005) + 1206);
  expect(priceInTable({ output_mtok: 15 }, undefined)).toBeUndefined();
});

test("a request has at most as many tokens as its JSON has bytes of UTF-8", () => {
  const text = "Wie groß? 🦭";
  const { inputTokens } = countInput({ prompt: [{ role: "user", content: text }] });
  expect(inputTokens).toBeGreaterThan(Buffer.byteLength(JSON.stringify([{ role: "user", content: text }])));
});

test("an image counts as the dearest one whatever its size, another file as its bytes, and both as media", () => {
  const bytes = new Uint8Array(3_000_000);
  const image = countInput([{ type: "file", mediaType: "image/png", data: bytes }]);
  const byUrl = countInput([{ type: "image_url", image_url: { url: "https://a" } }]);
  const file = countInput([{ type: "file", mediaType: "application/pdf", data: bytes }]);
  for (const { inputTokens } of [image, byUrl]) {
    expect(inputTokens).toBeGreaterThanOrEqual(IMAGE_TOKENS);
    expect(inputTokens).toBeLessThan(IMAGE_TOKENS + 200);
  }
  expect(file.inputTokens).toBeGreaterThan(3_000_000);
  expect([image, byUrl, file].map(({ hasMedia }) => hasMedia)).toEqual([true, true, true]);
});

test("a request never has more tokens than the model's context window", () => {
  const windowed = { ...price, contextWindow: 5000 };
  expect(countInput("x".repeat(100_000), windowed).inputTokens).toBe(5000);
});

test("the worst case is the input at the dearest rate and the output at its cap, rounded up", () => {
  const cached = { ...price, cacheWrite: [{ above: 0, micros: usd(1.25) }] };
  expect(worstCase({ ...asking, maxOutputTokens: 100 }, counted, cached, {}, false)).toEqual({
    micros: 1250 + 1000,
    tokens: 1100,
    calls: 1,
    inputTokens: 1000,
    maxOutputTokens: 100,
  });
  const odd = priceOf({ inputPerMillion: 1, outputPerMillion: 0 });
  expect(worstCase({ ...asking, maxOutputTokens: 0 }, counted, odd, {}, false)?.micros).toBe(1);
});

test.each([
  ["fits as it is", 100, usd(1), false, 100],
  ["is shortened to what is left", 1000, 1000 + 5000, true, 500],
  ["is not shortened where it may not be", 1000, 1000 + 5000, false, undefined],
  ["names no cap and gets what is left", undefined, 1000 + 5000, false, 500],
  ["names no cap and gets the usual one", undefined, usd(5), true, UNCAPPED_TOKENS],
  ["has room for the shortest answer", 1000, 1000 + FEWEST_TOKENS * 10, true, FEWEST_TOKENS],
  ["has room for less than that", 1000, 1000 + FEWEST_TOKENS * 10 - 1, true, undefined],
  ["has no room for its input", 1000, 999, true, undefined],
])("an answer that %s", (_, maxOutputTokens, micros, shortened, cap) => {
  const worst = worstCase({ ...asking, maxOutputTokens }, counted, price, { micros }, shortened);
  expect(worst?.maxOutputTokens).toBe(cap);
  expect(worst?.micros ?? 0).toBeLessThanOrEqual(micros);
});

test("a cap that the call cannot change is not shortened", () => {
  const fixed = { ...asking, maxOutputTokens: 1000, isCapFixed: true };
  expect(worstCase(fixed, counted, price, { micros: 1000 + 5000 }, true)).toBeUndefined();
  expect(worstCase(fixed, counted, price, { micros: 1000 + 10_000 }, true)?.maxOutputTokens).toBe(1000);
});

test("limits of tokens and of calls shorten and refuse as money does", () => {
  const wanted = { ...asking, maxOutputTokens: 1000 };
  expect(worstCase(wanted, counted, undefined, { tokens: 1200 }, true)).toMatchObject({
    maxOutputTokens: 200,
    micros: 0,
  });
  expect(worstCase(wanted, counted, undefined, { tokens: 1000 }, true)).toBeUndefined();
  expect(worstCase(wanted, counted, undefined, { calls: 0 }, true)).toBeUndefined();
});

test("tokens for thinking come on top of the cap", () => {
  const thinking = { ...asking, maxOutputTokens: 1000, thinkingTokens: 300 };
  expect(worstCase(thinking, counted, price, {}, true)).toMatchObject({
    tokens: 2300,
    maxOutputTokens: 1000,
  });
  expect(worstCase(thinking, counted, price, { micros: 1000 + 5000 }, true)).toMatchObject({
    tokens: 1500,
    maxOutputTokens: 200,
  });
});

const billing = () => {
  const wanted = { ...asking, maxOutputTokens: 100 };
  return { asking: wanted, counted, price, worst: must(worstCase(wanted, counted, price, {}, false), "it") };
};

test("a call costs what its usage says: cached input at its rate, reasoning as output", () => {
  const rates = priceOf({
    inputPerMillion: usd(1),
    outputPerMillion: usd(10),
    cachedInputPerMillion: usd(0.1),
  });
  const usage = { inputTokens: 100, cachedInputTokens: 40, outputTokens: 20, reasoningTokens: 7 };
  expect(settle(usage, { ...billing(), price: rates })).toEqual({ usage, cost: 60 + 4 + 200 });
});

test("reasoning that is counted apart from the output is added to it", () => {
  const usage = { inputTokens: 0, outputTokens: 20, reasoningTokens: 70 };
  expect(settle(usage, billing()).cost).toBe(900);
});

test.each([
  ["nothing", undefined],
  ["no output", { inputTokens: 5 }],
  ["zero of everything", { inputTokens: 0, outputTokens: 0 }],
  ["what is no number", { inputTokens: Number.NaN, outputTokens: 5 }],
])("a provider that reports %s is taken to have used all that was held", (_, usage) => {
  expect(settle(usage, billing())).toEqual({
    cost: 2000,
    usage: { inputTokens: 1000, outputTokens: 100 },
    estimated: true,
  });
});

test.each([
  ["an HTTP error", Object.assign(new Error("busy"), { statusCode: 503 })],
  [
    "an HTTP error, further in",
    new Error("failed", { cause: Object.assign(new Error("busy"), { status: 429 }) }),
  ],
  [
    "a connection that never came about",
    new Error("fetch", { cause: Object.assign(new Error(), { code: "ECONNREFUSED" }) }),
  ],
])("a model call that the provider turned away by %s costs nothing", (_, error) => {
  expect(settleFailed(error, undefined, billing())).toEqual({ cost: 0 });
});

test("a model call that broke in any other way may have been billed whole", () => {
  expect(settleFailed(new Error("socket hang up"), undefined, billing())).toMatchObject({
    cost: 2000,
    estimated: true,
  });
});

test("an answer that broke off in the middle is estimated by what had come of it, and never above what was held", () => {
  expect(settleFailed(new Error("aborted"), ["ab"], billing())).toEqual({
    usage: { inputTokens: 1000, outputTokens: 6 },
    cost: 1060,
    estimated: true,
  });
  expect(settleFailed(new Error("aborted"), "x".repeat(9999), billing()).cost).toBe(2000);
});
