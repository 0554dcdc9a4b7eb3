import { Link } from "react-router";
import type { FlowGraph } from "../api/queries.ts";
import { layout, type Placed } from "../flow/layout.ts";
import { paths } from "../paths.ts";
import { Status } from "../ui/Status.tsx";

/** In pixels: what a node takes, and what is left between them. */
const WIDTH = 190;
const HEIGHT = 58;
const ACROSS = 60;
const DOWN = 16;

const left = ({ column }: Placed) => column * (WIDTH + ACROSS);
const top = ({ row }: Placed) => row * (HEIGHT + DOWN);

export function FlowView({ graph: { nodes, edges } }: { readonly graph: FlowGraph }) {
  const { nodes: placed, passing } = layout(
    nodes.map(({ id }) => id),
    edges,
  );
  const cells = [...placed, ...[...passing.values()].flat()];
  // A node has its name from those that come after it.
  const names = new Map(edges.map(({ from, name }) => [from, name]));
  const places = new Map(placed.map((place) => [place.id, place]));
  const width = Math.max(0, ...cells.map(left)) + WIDTH;
  const height = Math.max(0, ...cells.map(top)) + HEIGHT;
  return (
    <div className="flow">
      <div className="flow-area" style={{ width, height }}>
        <svg width={width} height={height} aria-hidden="true">
          {edges.map((edge) => {
            const [from, to] = [places.get(edge.from), places.get(edge.to)];
            if (!from || !to) return null;
            const kind = edge.ended ? "ended" : "open";
            const key = `${edge.from} ${edge.to}`;
            return <path key={key} className={kind} d={curve(from, passing.get(key) ?? [], to)} />;
          })}
        </svg>
        {nodes.map(({ id, agent, status, waitingOn }) => {
          const place = places.get(id);
          return place ? (
            <Link
              key={id}
              className="node"
              data-row
              to={paths.run(id)}
              title={id}
              style={{ left: left(place), top: top(place), width: WIDTH, height: HEIGHT }}
            >
              <span className="name">{names.get(id) ?? agent ?? id}</span>
              <span className="under">
                <Status status={status} waitingOn={waitingOn ?? undefined} />
                <span className="faint">{agent}</span>
              </span>
            </Link>
          ) : null;
        })}
      </div>
    </div>
  );
}

/** From the right of one node to the left of another, straight through the cells between. */
function curve(from: Placed, between: readonly Placed[], to: Placed): string {
  const middle = (cell: Placed) => top(cell) + HEIGHT / 2;
  let path = `M ${left(from) + WIDTH} ${middle(from)}`;
  for (const [i, cell] of [...between, to].entries()) {
    const y = middle([from, ...between][i] ?? from);
    const turn = left(cell) - ACROSS / 2;
    path += ` C ${turn} ${y}, ${turn} ${middle(cell)}, ${left(cell)} ${middle(cell)}`;
    if (cell !== to) path += ` H ${left(cell) + WIDTH}`;
  }
  return path;
}
