import { expect, test } from "vitest";
import { given, intent, observation, start, takeover } from "../../test/given.ts";
import { overlapsOf } from "./overlap.ts";
import { timelineOf } from "./timeline.ts";

const besideIn = (...facts: Parameters<typeof given>) => {
  const calls = timelineOf(given(...facts))
    .sections.flatMap(({ rows }) => rows)
    .filter((row) => row.row === "call");
  return [...overlapsOf(calls, 100_000)].map(([seq, others]) => [seq, others.map(({ seq }) => seq)]);
};

test("calls that were under way at the same time are beside each other", () => {
  expect(
    besideIn(
      start,
      takeover("a"),
      intent("a#0", "a"),
      intent("b#0", "b"),
      observation("a#0", "a"),
      observation("b#0", "b"),
    ),
  ).toEqual([
    [4, [3]],
    [3, [4]],
  ]);
});

test("calls one after the other are not, and neither is a call beside that whose body makes it", () => {
  expect(
    besideIn(start, takeover("a"), intent("a#0", "a"), observation("a#0", "a"), intent("b#0", "b")),
  ).toEqual([]);
  expect(besideIn(start, takeover("a"), intent("a#0", "a"), intent("a#0/b#0", "b"))).toEqual([]);
});
