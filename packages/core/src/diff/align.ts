import type { Run, Step } from "../ledger/replay.ts";

/** A step of one run and the step of the other that stands in its place. */
export type Pair =
  | { readonly a: Step; readonly b: Step }
  | { readonly a: Step; readonly b: undefined }
  | { readonly a: undefined; readonly b: Step };

/** A segment of the path of keys: a lane, a place or a tool call, with what is under it in order of the ledger. */
interface Node {
  readonly segment: string;
  readonly children: Map<string, Node>;
  step: Step | undefined;
  /** Of the first step here or below. */
  seq: number;
  digest: string;
}

/**
 * Which step of the one run is which of the other? They are aligned lane by lane. Among calls of one name under one lane,
 * or emitted by one answer, those that ask the same are one; else those at the same place. Tool call ids are made up anew
 * in every run: of the calls that are left, the first is the first.
 */
export function align(a: Run, b: Run): Pair[] {
  const pairs: Pair[] = [];
  walk(treeOf(a), treeOf(b), pairs);
  return pairs;
}

function walk(a: Node | undefined, b: Node | undefined, pairs: Pair[]): void {
  if (a?.step && b?.step) pairs.push({ a: a.step, b: b.step });
  else if (a?.step) pairs.push({ a: a.step, b: undefined });
  else if (b?.step) pairs.push({ a: undefined, b: b.step });
  const [inA, inB] = [childrenOf(a), childrenOf(b)];
  const partners = partnersOf(inA, inB);
  const paired = new Set(partners.values());
  let next = 0;
  // What only b has stands behind what precedes it there.
  const onlyB = (until: number) => {
    for (; next < until; next++) if (!paired.has(inB[next] as Node)) walk(undefined, inB[next], pairs);
  };
  for (const child of inA) {
    const partner = partners.get(child);
    if (partner) onlyB(inB.indexOf(partner));
    walk(child, partner, pairs);
  }
  onlyB(inB.length);
}

function partnersOf(inA: readonly Node[], inB: readonly Node[]): Map<Node, Node> {
  const partners = new Map<Node, Node>();
  const free = new Set(inB);
  const pair = (fits: (a: Node, b: Node) => boolean) => {
    for (const a of inA) {
      if (partners.has(a)) continue;
      const b = [...free].find((b) => nameOf(a) === nameOf(b) && fits(a, b));
      if (!b) continue;
      partners.set(a, b);
      free.delete(b);
    }
  };
  pair((a, b) => a.segment === b.segment && a.digest === b.digest);
  pair((a, b) => a.digest === b.digest);
  pair((a, b) => a.segment === b.segment);
  pair((a) => a.segment.includes(":"));
  return partners;
}

function treeOf(run: Run): Node {
  const root = node("");
  const steps = [...run.steps.values()].sort((a, b) => seqOf(a) - seqOf(b));
  for (const step of steps) {
    let at = root;
    for (const segment of step.key.split("/")) {
      const below = at.children.get(segment) ?? node(segment);
      at.children.set(segment, below);
      at = below;
      if (below.seq === 0) [below.seq, below.digest] = [seqOf(step), step.digest];
    }
    at.step = step;
  }
  return root;
}

const node = (segment: string): Node => ({
  segment,
  children: new Map(),
  step: undefined,
  seq: 0,
  digest: "",
});

const childrenOf = (node: Node | undefined): Node[] => [...(node?.children.values() ?? [])];

/** A segment without its number or id. */
const nameOf = ({ segment }: Node): string => segment.replace(/(\.|#)\d+$|:.*$/, "$1");

/** Where a step begins in its ledger. */
export function seqOf(step: Step): number {
  if ("intent" in step && step.intent) return step.intent.seq;
  return step.at === "refused"
    ? step.refusal.seq
    : (step as Extract<Step, { at: "observed" }>).observation.seq;
}
