import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import { Flights } from "../src/flights.ts";

/** Flights of two seats at most, and what each of them took. Each lands when it is told to. */
function airfield() {
  const flown: string[][] = [];
  const landings: (() => void)[] = [];
  const flights = new Flights<string>(
    (flight) => {
      flown.push(flight);
      return new Promise((landed) => landings.push(landed));
    },
    (waiting) => Math.min(waiting.length, 2),
  );
  const land = async () => {
    landings.shift()?.();
    await nextTurn();
  };
  const board = (...passengers: string[]) => {
    for (const passenger of passengers) flights.board(passenger);
  };
  return { flown, land, board };
}

test("who comes alone takes off at once", () => {
  const { flown, board } = airfield();
  board("a");
  expect(flown).toEqual([["a"]]);
});

test("who comes while a flight is in the air travels with the next one, as many as there are seats", async () => {
  const { flown, land, board } = airfield();
  board("a", "b", "c", "d");
  await land();
  expect(flown).toEqual([["a"], ["b", "c"]]);
  await land();
  expect(flown).toEqual([["a"], ["b", "c"], ["d"]]);
});

test("those that landed together take off together where they come again in one turn", async () => {
  const { flown, land, board } = airfield();
  board("a", "b", "c");
  await land();
  await land();
  board("b");
  await Promise.resolve();
  board("c");
  await nextTurn();
  expect(flown).toEqual([["a"], ["b", "c"], ["b", "c"]]);
});

test("who comes alone after a flight of several is gone with the end of the turn, and then at once again", async () => {
  const { flown, land, board } = airfield();
  board("a", "b", "c");
  await land();
  await land();
  board("d");
  await nextTurn();
  await land();
  board("e");
  expect(flown.slice(2)).toEqual([["d"], ["e"]]);
});
