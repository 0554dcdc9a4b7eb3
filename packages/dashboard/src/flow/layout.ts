/** Where each node of a graph is drawn: in a column behind all that it comes after, rows counted within a column. */
export interface Placed {
  readonly id: string;
  readonly column: number;
  readonly row: number;
}

export interface Edge {
  readonly from: string;
  readonly to: string;
}

export interface Layout {
  readonly nodes: readonly Placed[];
  /** Where an edge over several columns passes those between, so that it runs behind no node: by `from to`. */
  readonly passing: ReadonlyMap<string, readonly Placed[]>;
}

/** Lays a graph out from left to right. Edges that would close a circle, or lead to no node, are passed over. */
export function layout(ids: readonly string[], edges: readonly Edge[]): Layout {
  const before = new Map<string, string[]>(ids.map((id) => [id, []]));
  for (const { from, to } of edges) if (before.has(from)) before.get(to)?.push(from);
  const columns = columnsOf(ids, before);
  const passing = new Map<string, Placed[]>();
  const cells = ids.map((id) => ({
    id,
    column: columns.get(id) ?? 0,
    after: before.get(id) ?? [],
    edge: "",
  }));
  for (const { from, to } of edges) {
    const [start = 0, end = 0] = [columns.get(from), columns.get(to)];
    const edge = `${from} ${to}`;
    for (let column = start + 1; column < end && before.has(from); column++) {
      const id = (at: number) => (at === start ? from : `${edge} ${at}`);
      cells.push({ id: id(column), column, after: [id(column - 1)], edge });
      passing.set(edge, []);
    }
  }
  const rows = new Map<string, number>();
  const nodes: Placed[] = [];
  const last = Math.max(0, ...columns.values());
  for (let column = 0; column <= last; column++) {
    // Near the rows of what they come after, so that fewer edges cross; otherwise in the order given.
    const here = cells
      .filter((cell) => cell.column === column)
      .map((cell) => ({ ...cell, height: mean(cell.after.map((id) => rows.get(id) ?? 0)) }))
      .sort((a, b) => a.height - b.height);
    for (const [row, { id, edge }] of here.entries()) {
      rows.set(id, row);
      (edge === "" ? nodes : passing.get(edge))?.push({ id, column, row });
    }
  }
  return { nodes, passing };
}

const mean = (rows: readonly number[]) => rows.reduce((sum, row) => sum + row, 0) / Math.max(1, rows.length);

/** The longest way from a node that comes after nothing. */
function columnsOf(
  ids: readonly string[],
  before: ReadonlyMap<string, readonly string[]>,
): Map<string, number> {
  const columns = new Map<string, number>();
  const under = new Set<string>();
  const columnOf = (id: string): number => {
    const known = columns.get(id);
    if (known !== undefined) return known;
    under.add(id);
    const parents = (before.get(id) ?? []).filter((parent) => !under.has(parent));
    const column = parents.reduce((most, parent) => Math.max(most, columnOf(parent) + 1), 0);
    under.delete(id);
    columns.set(id, column);
    return column;
  };
  for (const id of ids) columnOf(id);
  return columns;
}
