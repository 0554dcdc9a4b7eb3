import { diffArrays } from "diff";
import { canonicalOf } from "../json.ts";

/** A part in which two values differ: where it is, and how, as lines that begin with `-`, `+` or a space. */
export interface Difference {
  /** `prompt[2].content`; empty where the values differ as a whole. */
  readonly path: string;
  readonly lines: readonly string[];
}

/** More edits than this are not told apart: all of the one is shown, then all of the other. */
const MOST_EDITS = 500;
/** Lines that are shown of one difference. */
const MOST_LINES = 60;
/** Equal lines that are shown around those that differ. */
const AROUND = 2;
/** The longest line that is shown whole. Of a longer one, what is near the difference. */
const LONGEST_LINE = 160;

/**
 * How two values differ, part by part, for people. Both are plain JSON, as `toPlain` makes it. Items of lists are
 * recognised by what they say, so that one that was put in does not make all after it differ.
 */
export function differencesIn(before: unknown, after: unknown, path = ""): Difference[] {
  if (isSame(before, after)) return [];
  if (Array.isArray(before) && Array.isArray(after)) return inLists(before, after, path);
  if (isRecord(before) && isRecord(after)) {
    const names = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...names].flatMap((name) =>
      differencesIn(own(before, name), own(after, name), path === "" ? name : `${path}.${name}`),
    );
  }
  return [{ path, lines: changed(linesOf(before), linesOf(after)) }];
}

/** What a difference looks like in a terminal: its path, and its lines below. */
export const differenceText = ({ path, lines }: Difference, indent = ""): string =>
  [...(path === "" ? [] : [path]), ...lines].map((line) => indent + line).join("\n");

function inLists(before: readonly unknown[], after: readonly unknown[], path: string): Difference[] {
  const differences: Difference[] = [];
  let [i, j] = [0, 0];
  for (const { same = 0, gone = 0, come = 0 } of editsOf(before.map(canonical), after.map(canonical))) {
    const [was, is] = [before.slice(i, i + gone), after.slice(j, j + come)];
    for (let n = 0; n < Math.max(was.length, is.length); n++) {
      const at = `${path}[${n < is.length ? j + n : i + n}]`;
      if (n < was.length && n < is.length) differences.push(...differencesIn(was[n], is[n], at));
      else differences.push({ path: at, lines: changed(linesOf(was[n]), linesOf(is[n])) });
    }
    [i, j] = [i + same + gone, j + same + come];
  }
  return differences;
}

/** One stretch of two lists: so many items are common to both, or so many are gone and so many have come. */
type Edit =
  | { readonly same: number; readonly gone?: undefined; readonly come?: undefined }
  | { readonly same?: undefined; readonly gone: number; readonly come: number };

function editsOf(before: string[], after: string[]): Edit[] {
  const changes = diffArrays(before, after, { maxEditLength: MOST_EDITS });
  if (!changes) return [{ gone: before.length, come: after.length }];
  const edits: Edit[] = [];
  for (const { value, added, removed } of changes) {
    const last = edits.at(-1);
    if (!added && !removed) edits.push({ same: value.length });
    else {
      const [gone, come] = removed ? [value.length, 0] : [0, value.length];
      if (last?.gone === undefined) edits.push({ gone, come });
      else edits[edits.length - 1] = { gone: last.gone + gone, come: last.come + come };
    }
  }
  return edits;
}

function changed(before: readonly string[], after: readonly string[]): string[] {
  const lines: string[] = [];
  let [i, j] = [0, 0];
  const edits = editsOf([...before], [...after]);
  for (const [n, { same, gone = 0, come = 0 }] of edits.entries()) {
    if (same !== undefined) {
      const common = before.slice(i, i + same).map((line) => `  ${cut(line, 0)}`);
      const head = n === 0 ? [] : common.slice(0, AROUND);
      const tail = n === edits.length - 1 ? [] : common.slice(Math.max(head.length, same - AROUND));
      const left = same - head.length - tail.length;
      lines.push(
        ...head,
        ...(left > 0 ? [`  … ${left} equal ${left === 1 ? "line" : "lines"}`] : []),
        ...tail,
      );
      [i, j] = [i + same, j + same];
    } else {
      const at = gone > 0 && come > 0 ? firstDifference(before[i] ?? "", after[j] ?? "") : 0;
      lines.push(...before.slice(i, i + gone).map((line) => `- ${cut(line, at)}`));
      lines.push(...after.slice(j, j + come).map((line) => `+ ${cut(line, at)}`));
      [i, j] = [i + gone, j + come];
    }
  }
  const over = lines.length - MOST_LINES;
  return over > 0 ? [...lines.slice(0, MOST_LINES), `  … ${over} more lines`] : lines;
}

function firstDifference(before: string, after: string): number {
  let at = 0;
  while (at < before.length && before[at] === after[at]) at++;
  return at;
}

function cut(line: string, at: number): string {
  if (line.length <= LONGEST_LINE) return line;
  const from = Math.max(0, Math.min(at - LONGEST_LINE / 4, line.length - LONGEST_LINE));
  const to = from + LONGEST_LINE;
  return `${from > 0 ? "…" : ""}${line.slice(from, to)}${to < line.length ? "…" : ""}`;
}

/** A text by its lines, nothing as no lines, anything else as indented JSON. */
function linesOf(value: unknown): string[] {
  if (value === undefined) return [];
  return (typeof value === "string" ? value : JSON.stringify(value, null, 2)).split("\n");
}

const own = (record: Record<string, unknown>, name: string) =>
  Object.hasOwn(record, name) ? record[name] : undefined;

const canonical = (value: unknown) => canonicalOf(value);

const isSame = (before: unknown, after: unknown) =>
  before === after || (before !== undefined && after !== undefined && canonical(before) === canonical(after));

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
