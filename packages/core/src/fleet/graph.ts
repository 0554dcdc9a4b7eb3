import { HoldfastError } from "../errors.ts";

/** An edge of a flow. */
export interface After {
  readonly name: string;
  /** When that run does not succeed: this one fails too (default), or it begins all the same, without that output. */
  readonly onFailure?: "fail" | "skip" | undefined;
}

interface Node {
  readonly name: string;
  readonly after?: readonly (string | After)[] | undefined;
}

/** What a node comes after, with nothing left open. */
export const afterOf = ({ after = [] }: Node): { name: string; onFailure: "fail" | "skip" }[] =>
  after.map((edge) =>
    typeof edge === "string"
      ? { name: edge, onFailure: "fail" }
      : { name: edge.name, onFailure: edge.onFailure ?? "fail" },
  );

/** The nodes, each behind all that it comes after. Throws INVALID_ARGUMENT for what is no such graph. */
export function orderOf<N extends Node>(flow: string, nodes: readonly N[]): N[] {
  const refuse = (why: string) => new HoldfastError("INVALID_ARGUMENT", { argument: `flow("${flow}")`, why });
  if (typeof flow !== "string" || flow === "") throw refuse("must have a name that is not empty");
  if (nodes.length === 0) throw refuse("has no runs");
  const byName = new Map<string, N>();
  for (const node of nodes) {
    if (typeof node.name !== "string" || node.name === "") throw refuse("has a run without a name");
    if (byName.has(node.name)) throw refuse(`has two runs of the name ${node.name}`);
    byName.set(node.name, node);
  }
  for (const node of nodes) {
    const seen = new Set<string>();
    for (const { name, onFailure } of afterOf(node)) {
      if (!byName.has(name)) throw refuse(`has no run ${name}, which ${node.name} is to come after`);
      if (seen.has(name)) throw refuse(`has ${node.name} come twice after ${name}`);
      if (onFailure !== "fail" && onFailure !== "skip") {
        throw refuse(`has an onFailure for ${node.name} that is neither "fail" nor "skip"`);
      }
      seen.add(name);
    }
  }
  const order: N[] = [];
  const placed = new Set<string>();
  while (order.length < nodes.length) {
    const ready = nodes.filter(
      (node) => !placed.has(node.name) && afterOf(node).every(({ name }) => placed.has(name)),
    );
    if (ready.length === 0) {
      const left = nodes.filter(({ name }) => !placed.has(name)).map(({ name }) => name);
      throw refuse(`goes in a circle: ${left.join(", ")} wait for each other`);
    }
    for (const node of ready) {
      order.push(node);
      placed.add(node.name);
    }
  }
  return order;
}
