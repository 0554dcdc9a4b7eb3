import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { step } from "../src/index.ts";
import { MOST_ATTEMPTS, waitMs } from "../src/retry.ts";
import { checkTools } from "../src/settings.ts";

describe("the wait before a call is tried again", () => {
  test.each<[string, Parameters<typeof waitMs>, number | undefined]>([
    ["at most 200 ms after the first failure", [{ attempts: 9 }, 1, 1], 200],
    ["twice that after the second", [{ attempts: 9 }, 2, 1], 400],
    ["eight times that after the fourth", [{ attempts: 9 }, 4, 1], 1600],
    ["as long as one says after the first failure", [{ attempts: 9, firstMs: 7 }, 1, 1], 7],
    ["never longer than 30 seconds", [{ attempts: 100 }, 99, 1], 30_000],
    ["never longer than one says", [{ attempts: 9, longestMs: 500 }, 5, 1], 500],
    ["never longer than one says, not even the first", [{ attempts: 9, longestMs: 5 }, 1, 1], 5],
    ["a random part of that", [{ attempts: 9 }, 3, 0.25], 200],
    ["nothing, where chance has it so", [{ attempts: 9 }, 3, 0], 0],
    ["there before the last of all tries", [{ attempts: 3 }, 2, 1], 400],
    ["not there after the last of all tries", [{ attempts: 3 }, 3, 1], undefined],
    ["not there where there is one try", [{ attempts: 1 }, 1, 1], undefined],
    ["not there where nothing was said of tries", [undefined, 1, 1], undefined],
  ])("is %s", (_, [retry, failures, random], expected) => {
    expect(waitMs(retry, failures, random)).toBe(expected);
  });

  const retries = fc.record({
    attempts: fc.integer({ min: 1, max: MOST_ATTEMPTS }),
    firstMs: fc.double({ min: 0, max: 1e6, noNaN: true }),
    longestMs: fc.double({ min: 0, max: 1e6, noNaN: true }),
  });
  const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

  test("is within its bounds as long as there are tries left, and there is none after that", () => {
    fc.assert(
      fc.property(
        retries,
        fc.integer({ min: 1, max: 2 * MOST_ATTEMPTS }),
        chance,
        (retry, failures, random) => {
          const ms = waitMs(retry, failures, random);
          const most = Math.min(retry.longestMs, retry.firstMs * 2 ** (failures - 1));
          const isWithin = ms === undefined ? failures >= retry.attempts : ms >= 0 && ms <= most;
          expect(isWithin && (ms === undefined) === failures >= retry.attempts).toBe(true);
        },
      ),
      { numRuns: 1000 },
    );
  });

  test("never gets shorter with the failures, where chance is the same", () => {
    fc.assert(
      fc.property(retries, fc.integer({ min: 1, max: 98 }), chance, (retry, failures, random) => {
        const patient = { ...retry, attempts: MOST_ATTEMPTS };
        const [now, next] = [waitMs(patient, failures, random), waitMs(patient, failures + 1, random)];
        expect(next).toBeGreaterThanOrEqual(now ?? Number.NaN);
      }),
    );
  });
});

const declared = (settings: object) => () => checkTools({ pay: settings });
const named = (settings: object) => () => step("pay", () => 1, settings);

describe.each<[string, (settings: object) => () => unknown]>([
  ["a tool", declared],
  ["a step", named],
])("of %s", (_, give) => {
  const giving = async (settings: object) => await give(settings)();

  test.each<[string, object]>([
    ["a retry of what is once", { effect: "once", retry: { attempts: 2 } }],
    ["a retry of what is once because nothing was said", { retry: { attempts: 2 } }],
    ["a single attempt of what is once", { effect: "once", retry: { attempts: 1 } }],
    ["no attempts", { effect: "read", retry: { attempts: 0 } }],
    ["half an attempt", { effect: "read", retry: { attempts: 1.5 } }],
    ["attempts without number", { effect: "read", retry: {} }],
    ["more attempts than there may be", { effect: "read", retry: { attempts: MOST_ATTEMPTS + 1 } }],
    ["attempts without end", { effect: "read", retry: { attempts: Number.POSITIVE_INFINITY } }],
    ["no time", { effect: "read", timeoutMs: 0 }],
    ["less than no time", { effect: "read", timeoutMs: -1 }],
    ["a time that is no number", { effect: "read", timeoutMs: Number.NaN }],
    ["a time that is longer than a timer runs", { effect: "read", timeoutMs: 2 ** 31 }],
  ])("%s is refused", async (_, settings) => {
    await expect(giving(settings)).rejects.toThrow("(INVALID_ARGUMENT)");
  });

  test.each<[string, object]>([
    ["a retry that is none", { effect: "read", retry: null }],
    ["a first wait that is no number", { effect: "read", retry: { attempts: 2, firstMs: Number.NaN } }],
    ["a first wait of less than nothing", { effect: "read", retry: { attempts: 2, firstMs: -1 } }],
    ["a longest wait that is no number", { effect: "read", retry: { attempts: 2, longestMs: "1s" } }],
    ["a field of a retry that does not exist", { effect: "read", retry: { attempts: 2, delayMs: 5 } }],
  ])("%s is not taken for the default", async (_, settings) => {
    await expect(giving(settings)).rejects.toThrow("(INVALID_ARGUMENT)");
  });

  test.each<[string, object]>([
    ["a retry of what is read", { effect: "read", retry: { attempts: 2 } }],
    ["a retry of what is idempotent", { effect: "idempotent", retry: { attempts: MOST_ATTEMPTS } }],
    ["the longest time that a timer runs", { effect: "once", timeoutMs: 2 ** 31 - 1 }],
  ])("%s is taken", async (_, settings) => {
    await expect(giving(settings).then(() => "taken")).resolves.toBe("taken");
  });
});

test.each<[string, object]>([
  ["a key that is no function", { key: "orderId" }],
  ["a reconcile that is no function", { reconcile: "ask" }],
  ["a reconcile of what is read", { effect: "read", reconcile: () => "unknown" }],
  ["a reconcile of what is idempotent", { effect: "idempotent", reconcile: () => "unknown" }],
  ["a reconcile of what is a transaction", { effect: "transaction", reconcile: () => "unknown" }],
])("of a tool, %s is refused", (_, settings) => {
  expect(declared(settings)).toThrow("(INVALID_ARGUMENT)");
});

test.each<[string, object]>([
  ["a business key", { key: () => "order-7" }],
  ["a reconcile", { reconcile: () => "unknown" }],
])("of a step, %s is refused: it would not be heeded", async (_, settings) => {
  await expect(named(settings)()).rejects.toThrow("(INVALID_ARGUMENT)");
});
