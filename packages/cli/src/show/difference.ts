import type { Paint } from "../terminal.ts";
import { clean } from "./clean.ts";

/** A line of a difference: what came is green, what went is red. */
export const colored = (paint: Paint) => (line: string) =>
  paint(/^\s*\+/.test(line) ? "green" : /^\s*-/.test(line) ? "red" : "reset", clean(line));
