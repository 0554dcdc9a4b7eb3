import Table from "cli-table3";
import type { Paint } from "../terminal.ts";

const NOTHING = "";

/** Rows under their heads, without lines, as wide as they need. */
export function table(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  paint: Paint,
): string[] {
  const plain = new Table({
    style: { head: [], border: [], "padding-left": 0, "padding-right": 2 },
    chars: Object.fromEntries(BORDERS.map((border) => [border, NOTHING])),
  });
  plain.push(
    heads.map((head) => paint("dim", head)),
    ...rows.map((row) => [...row]),
  );
  return plain
    .toString()
    .split("\n")
    .map((line) => line.trimEnd());
}

const BORDERS = [
  "top",
  "top-mid",
  "top-left",
  "top-right",
  "bottom",
  "bottom-mid",
  "bottom-left",
  "bottom-right",
  "left",
  "left-mid",
  "mid",
  "mid-mid",
  "right",
  "right-mid",
  "middle",
];
