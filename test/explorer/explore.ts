import { textOf } from "./alike.ts";
import type { Property, Rules, Scene, State } from "./model.ts";
import { movesFrom } from "./moves.ts";
import { beginningOf } from "./state.ts";

export interface Explored {
  readonly states: number;
  readonly moves: number;
  /** A shortest way to a state in which a property does not hold. */
  readonly broken: { readonly property: Property; readonly trace: readonly string[] } | undefined;
}

/**
 * Every state that the scene can come to, breadth first, each looked at once: the first fault found is a shortest one.
 * Where none is found, every state must also have a way on to the end of all its runs.
 */
export function explore(scene: Scene, rules: Rules, mostStates = 5_000_000): Explored {
  const first = beginningOf(scene);
  const known = new Map([[textOf(scene, first), 0]]);
  const waiting: (State | undefined)[] = [first];
  const cameFrom = [-1];
  const cameBy = ["it begins"];
  const edges: number[] = [];
  const ended: number[] = [];
  let moves = 0;

  const traceTo = (n: number): string[] => {
    const trace = [];
    for (let at = n; at > 0; at = cameFrom[at] as number) trace.unshift(cameBy[at] as string);
    return trace;
  };

  for (let n = 0; n < waiting.length; n++) {
    const from = waiting[n] as State;
    waiting[n] = undefined;
    if (from.heads.every(({ status }) => status === "succeeded")) ended.push(n);
    for (const { what, to } of movesFrom(scene, rules, from)) {
      moves++;
      const text = textOf(scene, to);
      let at = known.get(text);
      if (at === undefined) {
        at = waiting.length;
        known.set(text, at);
        waiting.push(to);
        cameFrom.push(n);
        cameBy.push(what);
        if (at >= mostStates) throw new Error(`more than ${mostStates} states: the scene is too wide`);
      }
      if (to.broken) {
        const trace = [...traceTo(n), what];
        return { states: waiting.length, moves, broken: { property: to.broken, trace } };
      }
      edges.push(n, at);
    }
  }

  const stuck = firstWithoutWayOn(waiting.length, edges, ended);
  const broken = stuck < 0 ? undefined : { property: "ends" as const, trace: traceTo(stuck) };
  return { states: waiting.length, moves, broken };
}

/** Goes back from the ends; what is not met has no way on. -1: all is met. */
function firstWithoutWayOn(states: number, edges: readonly number[], ended: readonly number[]): number {
  const begins = new Int32Array(states + 2);
  for (let e = 1; e < edges.length; e += 2)
    begins[(edges[e] as number) + 2] = (begins[(edges[e] as number) + 2] ?? 0) + 1;
  for (let n = 1; n < begins.length; n++) begins[n] = (begins[n] ?? 0) + (begins[n - 1] ?? 0);
  const before = new Int32Array(edges.length / 2);
  for (let e = 0; e < edges.length; e += 2) {
    const to = (edges[e + 1] as number) + 1;
    before[begins[to] as number] = edges[e] as number;
    begins[to] = (begins[to] as number) + 1;
  }
  const met = new Uint8Array(states);
  const next = [...ended];
  for (const n of next) met[n] = 1;
  for (let n = next.pop(); n !== undefined; n = next.pop()) {
    for (let e = begins[n] as number; e < (begins[n + 1] as number); e++) {
      const from = before[e] as number;
      if (met[from] === 1) continue;
      met[from] = 1;
      next.push(from);
    }
  }
  return met.indexOf(0);
}
