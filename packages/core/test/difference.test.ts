import { fc, test as property } from "@fast-check/vitest";
import { describe, expect, test } from "vitest";
import { differencesIn, differenceText } from "../src/diff/difference.ts";

describe("what differs", () => {
  test("is named by its path, and shown line by line", () => {
    const before = { messages: [{ role: "system", content: "Be brief.\nBe kind.\nCite." }], temperature: 0 };
    const after = { messages: [{ role: "system", content: "Be brief.\nBe exact.\nCite." }], temperature: 1 };
    expect(differencesIn(before, after).map((difference) => differenceText(difference))).toEqual([
      "messages[0].content\n  Be brief.\n- Be kind.\n+ Be exact.\n  Cite.",
      "temperature\n- 0\n+ 1",
    ]);
  });

  test("is an item that was put into a list, and not those after it", () => {
    expect(differencesIn(["a", "b", "c"], ["a", "x", "b", "c"])).toEqual([{ path: "[1]", lines: ["+ x"] }]);
    expect(differencesIn(["a", "b", "c"], ["a", "c"])).toEqual([{ path: "[1]", lines: ["- b"] }]);
  });

  test("is a field that only one of them has", () => {
    expect(differencesIn({ a: 1 }, { a: 1, b: { c: 2 } })).toEqual([
      { path: "b", lines: ["+ {", '+   "c": 2', "+ }"] },
    ]);
  });

  test("of a long line is shown near the place", () => {
    const [difference] = differencesIn(
      `${"a".repeat(500)}old${"z".repeat(500)}`,
      `${"a".repeat(500)}new${"z".repeat(500)}`,
    );
    expect(difference?.lines.map((line) => line.length)).toEqual([164, 164]);
    expect(difference?.lines[0]).toContain("aoldz");
  });

  test("is shown with two equal lines around it, and the rest counted", () => {
    const lines = Array.from({ length: 20 }, (_, i) => `line ${i}`);
    const [difference] = differencesIn(lines.join("\n"), lines.with(10, "other").join("\n"));
    expect(difference?.lines).toEqual([
      "  … 8 equal lines",
      "  line 8",
      "  line 9",
      "- line 10",
      "+ other",
      "  line 11",
      "  line 12",
      "  … 7 equal lines",
    ]);
  });
});

property.prop([fc.jsonValue()])("a value differs in nothing from itself", (value) => {
  expect(differencesIn(value, structuredClone(value))).toEqual([]);
});

property.prop([fc.jsonValue(), fc.jsonValue()])("values that differ have a difference", (a, b) => {
  const same = JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
  expect(differencesIn(a, b).length === 0).toBe(same);
});

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([k, v]) => [k, sorted(v)]),
  );
}
