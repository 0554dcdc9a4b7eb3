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

/** Lays a graph out from left to right. Edges that would close a circle, or lead to no node, are passed over. */
export function layout(ids: readonly string[], edges: readonly Edge[]): Placed[] {
  const before = new Map<string, string[]>(ids.map((id) => [id, []]));
  for (const { from, to } of edges) if (before.has(from)) before.get(to)?.push(from);
  const columns = columnsOf(ids, before);
  const rows = new Map<string, number>();
  const last = Math.max(0, ...columns.values());
  const placed: Placed[] = [];
  for (let column = 0; column <= last; column++) {
    const height = (id: string) => {
      const parents = (before.get(id) ?? []).map((parent) => rows.get(parent) ?? 0);
      return parents.length === 0 ? 0 : parents.reduce((sum, row) => sum + row, 0) / parents.length;
    };
    // Near the rows of what they come after, so that fewer edges cross; otherwise in the order given.
    const here = ids.filter((id) => columns.get(id) === column);
    const ordered = here.map((id) => ({ id, height: height(id) })).sort((a, b) => a.height - b.height);
    for (const [row, { id }] of ordered.entries()) {
      rows.set(id, row);
      placed.push({ id, column, row });
    }
  }
  return placed;
}

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
