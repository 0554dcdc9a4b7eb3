import { createHash } from "node:crypto";
import type { SerializerProtocol } from "@langchain/langgraph-checkpoint";

/** A value without its lists: small enough to stand where it is named, as its serializer's JSON, or a part, by its hash. */
export type Leaf = readonly [json: string] | string;

/**
 * A list by its items: what stands behind the last complete piece, of the items themselves, then of the pieces of items,
 * then of the pieces of those, and so on. Read from the last to the first, that is the list.
 */
export interface List {
  readonly list: readonly (readonly Leaf[])[];
}

/** An object by its lists: the rest of it has null in their place. */
export interface Lists {
  readonly rest: Leaf;
  readonly lists: Readonly<Record<string, List>>;
}

/** What a checkpoint or a write keeps in place of a value. */
export type Ref = Leaf | List | Lists;

/** What a thread keeps once under the hash of its content. */
export interface Part {
  /** 0: a value. 1 and more: a piece of a list, whose bytes are JSON that names items, or pieces of one less. */
  readonly height: number;
  /** The serializer's type; empty for a piece of a list. */
  readonly type: string;
  readonly bytes: Uint8Array;
}

/** Values that were split: how each is named, and the parts that the names need. */
export interface Split {
  readonly refs: Record<string, Ref>;
  readonly parts: ReadonlyMap<string, Part>;
}

/** JSON of at most so many bytes stands where it is named: a part costs some 150 bytes of its own. */
const SMALL = 40;

/** A piece of a list has from 2 to 64 items. It ends behind the first item whose hash says so: one in eight does. */
const FEWEST = 2;
const MOST = 64;
const ENDS = new Set("AIQYgow4");

/** SHA-256 of height, type and content, cut to 160 bits, base64url. */
const HASH_LENGTH = 27;

/**
 * Takes values apart. Where a piece of a list ends depends on its items alone, so lists that share items share pieces,
 * also where something was taken out in front. Each value is serialized before this returns to its caller for the first
 * time: what is changed in place afterwards is not seen.
 */
export async function split(
  values: Readonly<Record<string, unknown>>,
  serde: SerializerProtocol,
): Promise<Split> {
  const parts = new Map<string, Part>();
  const refs = await Promise.all(
    Object.entries(values).map(async ([name, value]) => [name, await refOf(value)] as const),
  );
  return { refs: Object.fromEntries(refs), parts };

  function refOf(value: unknown): Promise<Ref> {
    if (Array.isArray(value) && value.length > 0) return listOf(value);
    const lists = listsIn(value);
    return lists ? listsOf(value as object, lists) : leafOf(value);
  }

  async function leafOf(value: unknown): Promise<Leaf> {
    const [type, bytes] = await serde.dumpsTyped(value);
    if (type === "json" && bytes.length <= SMALL) return [Buffer.from(bytes).toString()];
    return keep({ height: 0, type, bytes });
  }

  async function listOf(items: readonly unknown[]): Promise<List> {
    let rest: Leaf[] = await Promise.all(Array.from(items, leafOf));
    const list: Leaf[][] = [];
    for (let height = 1; ; height++) {
      const { pieces, behind } = cut(rest);
      list.push(behind);
      if (pieces.length === 0) return { list };
      rest = pieces.map((piece) => keep({ height, type: "", bytes: Buffer.from(JSON.stringify(piece)) }));
    }
  }

  async function listsOf(value: object, lists: Readonly<Record<string, unknown[]>>): Promise<Lists> {
    const blanks = Object.fromEntries(Object.keys(lists).map((name) => [name, null]));
    const rest = leafOf({ ...value, ...blanks });
    const named = Object.entries(lists).map(async ([name, items]) => [name, await listOf(items)] as const);
    return { rest: await rest, lists: Object.fromEntries(await Promise.all(named)) };
  }

  function keep(part: Part): string {
    const hash = hashOf(part);
    parts.set(hash, part);
    return hash;
  }
}

/** The parts, of those that were just made, that somebody who has `known` already lacks. A list's pieces bring their items. */
export function missing({ refs, parts }: Split, known: ReadonlySet<string>): Map<string, Part> {
  const lacking = new Map<string, Part>();
  const add = (hash: string) => {
    const part = parts.get(hash);
    if (!part || known.has(hash) || lacking.has(hash)) return;
    lacking.set(hash, part);
    if (part.height > 0) for (const inside of namesIn(part)) add(inside);
  };
  for (const ref of Object.values(refs)) for (const hash of partsOf(ref)) add(hash);
  return lacking;
}

/** The parts that a name needs first. There may be more inside pieces of lists. */
export function partsOf(ref: Ref): string[] {
  if (isLeaf(ref)) return hashes([ref]);
  if ("list" in ref) return ref.list.flatMap(hashes);
  return [...hashes([ref.rest]), ...Object.values(ref.lists).flatMap(partsOf)];
}

/** The value that a name stands for. Throws where a part that it needs is not among `parts`. */
export async function join(
  ref: Ref,
  parts: ReadonlyMap<string, Part>,
  serde: SerializerProtocol,
): Promise<unknown> {
  if (isLeaf(ref)) return await unpack(ref);
  if ("list" in ref) return await itemsOf(ref);
  const rest = (await unpack(ref.rest)) as object;
  const lists = Object.entries(ref.lists).map(async ([name, list]) => [name, await itemsOf(list)] as const);
  return Object.assign(rest, Object.fromEntries(await Promise.all(lists)));

  async function unpack(leaf: Leaf): Promise<unknown> {
    if (typeof leaf !== "string") return await serde.loadsTyped("json", leaf[0]);
    const { type, bytes } = partOf(leaf);
    return await serde.loadsTyped(type, bytes);
  }

  function itemsOf({ list }: List): Promise<unknown[]> {
    let items: Leaf[] = [];
    for (const behind of list.toReversed()) {
      items = [...items.flatMap((piece) => leavesIn(partOf(piece as string))), ...behind];
    }
    return Promise.all(items.map(unpack));
  }

  function partOf(hash: string): Part {
    const part = parts.get(hash);
    if (!part) throw new Error(`a checkpoint names a part that its thread does not have: ${hash}`);
    return part;
  }
}

/** Cuts a list into pieces that are complete, and what stands behind the last of them. */
function cut(items: readonly Leaf[]): { pieces: Leaf[][]; behind: Leaf[] } {
  const pieces: Leaf[][] = [];
  let behind: Leaf[] = [];
  for (const item of items) {
    behind.push(item);
    if (behind.length < FEWEST || (behind.length < MOST && !ENDS.has(endOf(item)))) continue;
    pieces.push(behind);
    behind = [];
  }
  return { pieces, behind };
}

const endOf = (item: Leaf): string =>
  (typeof item === "string" ? item : hashOf({ height: 0, type: "json", bytes: Buffer.from(item[0]) })).charAt(
    0,
  );

function hashOf({ height, type, bytes }: Part): string {
  const hash = createHash("sha256").update(`${height}\0${type}\0`).update(bytes);
  return hash.digest("base64url").slice(0, HASH_LENGTH);
}

/** A plain object's lists that have items, by their names; undefined where there are none. */
function listsIn(value: unknown): Record<string, unknown[]> | undefined {
  if (typeof value !== "object" || value === null || "lc" in value || "toJSON" in value) return undefined;
  if (Object.getPrototypeOf(value) !== Object.prototype) return undefined;
  const lists = Object.entries(value).filter(
    (entry): entry is [string, unknown[]] => Array.isArray(entry[1]) && entry[1].length > 0,
  );
  return lists.length === 0 ? undefined : Object.fromEntries(lists);
}

const isLeaf = (ref: Ref): ref is Leaf => typeof ref === "string" || Array.isArray(ref);
const hashes = (leaves: readonly Leaf[]) => leaves.filter((leaf) => typeof leaf === "string");
const leavesIn = ({ bytes }: Part): Leaf[] => JSON.parse(Buffer.from(bytes).toString());
const namesIn = (part: Part): string[] => hashes(leavesIn(part));
