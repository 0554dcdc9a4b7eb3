import { expect, test } from "vitest";
import { layout } from "./layout.ts";

test("a run stands in a column behind all that it comes after", () => {
  const { nodes: placed } = layout(
    ["sum", "fetch", "clean", "tell"],
    [
      { from: "fetch", to: "clean" },
      { from: "fetch", to: "sum" },
      { from: "clean", to: "sum" },
      { from: "sum", to: "tell" },
    ],
  );
  expect(Object.fromEntries(placed.map(({ id, column }) => [id, column]))).toEqual({
    fetch: 0,
    clean: 1,
    sum: 2,
    tell: 3,
  });
});

test("runs of one column have rows of their own, near what they come after", () => {
  const { nodes: placed } = layout(
    ["a", "b", "of b", "of a"],
    [
      { from: "a", to: "of a" },
      { from: "b", to: "of b" },
    ],
  );
  expect(placed.map(({ id, row }) => `${id} ${row}`)).toEqual(["a 0", "b 1", "of a 0", "of b 1"]);
});

test("a circle, and an edge to a run that is not there, do not stop it", () => {
  const circle = [
    { from: "a", to: "b" },
    { from: "b", to: "a" },
    { from: "gone", to: "a" },
  ];
  expect(layout(["a", "b"], circle).nodes).toHaveLength(2);
});

test("an edge over several columns has a place of its own in those between", () => {
  const { nodes, passing } = layout(
    ["first", "second", "third"],
    [
      { from: "first", to: "second" },
      { from: "second", to: "third" },
      { from: "first", to: "third" },
    ],
  );
  expect(nodes.map(({ row }) => row)).toEqual([0, 0, 0]);
  expect(passing.get("first third")).toMatchObject([{ column: 1, row: 1 }]);
});
