import { type Container, containersOf } from "./path.ts";
import type { CallRow, EventRow, LaneRow, Row } from "./row.ts";

/** A row and what stands inside it. The root has no row. */
interface Node {
  readonly row: CallRow | EventRow | undefined;
  readonly container: Container | undefined;
  readonly children: Node[];
  readonly inside: Map<string, Node>;
}

const node = (row: Node["row"], container?: Container): Node => ({
  row,
  container,
  children: [],
  inside: new Map(),
});

/** Rows of one section by lane: each lane under its header, a call's own calls under it, otherwise in the ledger's order. */
export function nested(rows: readonly (CallRow | EventRow)[]): Row[] {
  const root = node(undefined);
  for (const row of rows) {
    let at = root;
    for (const container of row.step === undefined ? [] : containersOf(row.step)) at = inside(at, container);
    const leaf = node(row);
    at.children.push(leaf);
    // A later attempt at the same step takes what is made in its body from then on.
    if (row.row === "call") at.inside.set(row.step, leaf);
  }
  return root.children.flatMap((child) => flat(child, 0));
}

function inside(at: Node, container: Container): Node {
  const known = at.inside.get(container.path);
  if (known) return known;
  const made = node(undefined, container);
  at.inside.set(container.path, made);
  at.children.push(made);
  return made;
}

function flat({ row, container, children }: Node, depth: number): Row[] {
  const below = children.flatMap((child) => flat(child, depth + 1));
  if (row) return [{ ...row, depth }, ...below];
  return container ? [laneRow(container, depth, below), ...below] : below;
}

function laneRow({ path, label }: Container, depth: number, below: readonly Row[]): LaneRow {
  const spans = below.map((row) => (row.row === "event" ? { from: row.at, to: row.at } : row));
  const isOpen = spans.some(({ to }) => to === undefined);
  return {
    ...{ row: "lane", path, label, depth },
    from: Math.min(...spans.map(({ from }) => from)),
    to: isOpen ? undefined : Math.max(...spans.map(({ to }) => to ?? 0)),
  };
}
