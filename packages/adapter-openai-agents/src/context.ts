import { isDeepStrictEqual } from "node:util";

/*
 * A tool may write into the context of its run. That is part of what it does: where a replay returns its output without
 * running it, the context must come out the same. So what a call changed is recorded beside its output.
 */

/** What one call changed, as data. */
export interface Change {
  /** Which change of its context it is: calls that run side by side end in another order than they begin. */
  readonly n: number;
  readonly set: readonly (readonly [path: readonly string[], value: unknown])[];
  readonly deleted: readonly (readonly string[])[];
}

type Fields = Record<string, unknown>;

/** What this execution knows of a context. */
interface Known {
  /** The context when it was last looked at. */
  snapshot: Fields;
  /** Calls that are under way, and may be changing it. */
  open: number;
  readonly changes: Change[];
}

const contexts = new WeakMap<object, Known>();

/** Does `work`, and says what it changed in `context`: undefined where that is nothing, or the context no object. */
export async function watch<T>(
  context: unknown,
  work: () => Promise<T>,
): Promise<{ readonly output: T; readonly change: Change | undefined }> {
  if (!isObject(context)) return { output: await work(), change: undefined };
  const known = contexts.get(context) ?? { snapshot: {}, open: 0, changes: [] };
  contexts.set(context, known);
  // Of calls that overlap, a change is told by the one that ends next.
  if (known.open++ === 0) known.snapshot = copyFields(context, []);
  try {
    const output = await work();
    const now = copyFields(context, []);
    const [set, deleted]: [[string[], unknown][], string[][]] = [[], []];
    compare(known.snapshot, now, [], set, deleted);
    known.snapshot = now;
    if (set.length === 0 && deleted.length === 0) return { output, change: undefined };
    const change = { n: (known.changes.at(-1)?.n ?? 0) + 1, set, deleted };
    known.changes.push(change);
    return { output, change };
  } finally {
    known.open--;
  }
}

/** Makes a recorded change again. One that comes late is made before those that it came before. */
export function redo(context: unknown, change: Change): void {
  if (!isObject(context)) return;
  const known = contexts.get(context) ?? { snapshot: {}, open: 0, changes: [] };
  contexts.set(context, known);
  const at = known.changes.findLastIndex(({ n }) => n < change.n) + 1;
  known.changes.splice(at, 0, change);
  for (const each of known.changes.slice(at)) {
    apply(context, each);
    apply(known.snapshot, each);
  }
}

function apply(target: Fields, { set, deleted }: Change): void {
  for (const [path, value] of set) {
    const parent = at(target, path.slice(0, -1));
    if (parent) parent[path.at(-1) as string] = structuredClone(value);
  }
  for (const path of deleted) delete at(target, path.slice(0, -1))?.[path.at(-1) as string];
}

function at(target: Fields, path: readonly string[]): Fields | undefined {
  let here: unknown = target;
  for (const name of path) here = isObject(here) && Object.hasOwn(here, name) ? here[name] : undefined;
  return isObject(here) ? here : undefined;
}

const isObject = (value: unknown): value is Fields => typeof value === "object" && value !== null;

/** A record or a list: what lies in it is looked at. Of anything else an instance of a class is its own affair. */
const isFields = (value: unknown): value is Fields =>
  isObject(value) && [Object.prototype, Array.prototype, null].includes(Object.getPrototypeOf(value));

const isLeaf = (value: unknown): boolean =>
  value instanceof Date || value instanceof Map || value instanceof Set || !isObject(value);

/** Is it data, through and through? */
function isData(value: unknown): boolean {
  if (isFields(value)) return Object.values(value).every(isData);
  if (value instanceof Map) return [...value].flat().every(isData);
  if (value instanceof Set) return [...value].every(isData);
  return value instanceof Date || !["object", "function", "symbol"].includes(typeof value) || value === null;
}

/** `around` are the objects that it lies in: a field that leads back to one of them is left out. */
function copyFields(value: Fields, around: readonly object[]): Fields {
  const copy: Fields = Array.isArray(value) ? ([] as unknown as Fields) : {};
  const inside = [...around, value];
  for (const [name, part] of Object.entries(value)) {
    if (name === "__proto__" || (isFields(part) && inside.includes(part))) continue;
    if (isFields(part)) copy[name] = copyFields(part, inside);
    else copy[name] = isObject(part) && isLeaf(part) && isData(part) ? structuredClone(part) : part;
  }
  return copy;
}

function compare(
  before: Fields,
  after: Fields,
  path: readonly string[],
  set: [string[], unknown][],
  deleted: string[][],
): void {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  // A list that has become shorter must be so on a replay too.
  if (Array.isArray(before) && Array.isArray(after) && after.length < before.length) {
    set.push([[...path, "length"], after.length]);
    for (let i = after.length; i < before.length; i++) names.delete(String(i));
  }
  for (const name of names) {
    const [was, is, here] = [before[name], after[name], [...path, name]];
    if (!Object.hasOwn(after, name)) deleted.push(here);
    else if (isFields(was) && isFields(is) && Array.isArray(was) === Array.isArray(is)) {
      compare(was, is, here, set, deleted);
    } else if (Object.is(was, is) || isDeepStrictEqual(was, is)) {
      if (!Object.hasOwn(before, name)) set.push([here, is]); // there is a field now that says undefined
    } else if (isData(is)) set.push([here, is]);
    else if (isFields(is)) {
      const empty: Fields = Array.isArray(is) ? ([] as unknown as Fields) : {};
      set.push([here, empty]);
      compare(empty, is, here, set, deleted);
    }
  }
}
