import { canonicalOf, hashOf, toPlain, toPlainKey } from "./json.ts";
import type { Blob, KeptField, KeptRequest } from "./ledger/entry.ts";

/*
 * A model request is hashed by its fields, and a field that is a list by its items: h₀ = "", hᵢ = SHA-256(hᵢ₋₁ dᵢ), the
 * digests as base64url. So a conversation that has grown by a message costs one more hash, and is kept as the list
 * before it and what is new.
 */

/** The name that a model is called by, and an input that is no record: a field of the caller's own gets another $. */
export const CALLED = "$call";
export const WHOLE = "$whole";

/** A field whose canonical JSON is at most so long stands in the entry itself. */
const SHORT = 128;

/** What a request is known by, and what is yet to be kept of it. */
export interface Asked {
  readonly digest: string;
  readonly request: KeptRequest;
  /** Parts that are not in the ledger yet, as far as this process knows. */
  blobs(): Blob[];
  /** All parts are in the ledger: the entry that names them is. */
  kept(): void;
}

/** Something of a request that was hashed before, with a copy to know it again by. */
interface Part {
  readonly copy: Copy;
  readonly digest: string;
  /** How an entry says it, where it is a field of its own; undefined where it says nothing. */
  readonly field: KeptField | undefined;
  /** What is to be kept under its digest, until it is. */
  blobs: Blob[];
}

interface List {
  readonly parts: Part[];
  /** The hash of the list up to each item. */
  readonly chain: string[];
  /** So many of its first parts are kept. */
  kept: number;
}

/**
 * What the model requests of one lane were, so that the next one is not hashed anew where it says the same again. It is
 * compared with a copy: a message that its owner has changed meanwhile is another one.
 */
export class RequestMemo {
  readonly #lists = new Map<string, List>();
  readonly #parts = new Map<string, Part>();
  /** List nodes that are kept: a list that begins with one of them is kept as what follows it. */
  readonly #nodes = new Set<string>();

  /** `called` is the name that the model is called by. Throws NOT_SERIALIZABLE where a part has a cycle. */
  ask(request: unknown, called = ""): Asked {
    const fields: [string, KeptField][] = [[CALLED, { is: called }]];
    const digests: [string, string][] = [[CALLED, hashOf(canonicalOf(called))]];
    const parts: Part[] = [];
    const nodes: { hash: string; blob: Blob }[] = [];
    for (const [name, value] of fieldsIn(request)) {
      if (Array.isArray(value) && value.length > 0) {
        const list = this.#list(name, value);
        const hash = list.chain.at(-1) ?? "";
        for (const part of unkeptOf(list)) if (part.blobs.length > 0) parts.push(part);
        if (!this.#nodes.has(hash)) nodes.push({ hash, blob: this.#node(hash, list) });
        fields.push([name, { list: hash }]);
        digests.push([name, hash]);
      } else {
        const part = this.#part(name, value);
        if (part.field === undefined) continue;
        if ("blob" in part.field && part.blobs.length > 0) parts.push(part);
        fields.push([name, part.field]);
        digests.push([name, part.digest]);
      }
    }
    return {
      digest: hashOf(recordOf(digests)),
      request: Object.fromEntries(fields),
      blobs: () => [...parts.flatMap(({ blobs }) => blobs), ...nodes.map(({ blob }) => blob)],
      kept: () => {
        for (const part of parts) part.blobs = [];
        for (const { hash } of nodes) this.#nodes.add(hash);
      },
    };
  }

  #part(name: string, value: unknown): Part {
    const known = this.#parts.get(name);
    if (known && saysTheSame(known.copy, value)) return known;
    const part = partOf(value);
    this.#parts.set(name, part);
    return part;
  }

  #list(name: string, values: readonly unknown[]): List {
    const before = this.#lists.get(name);
    let same = 0;
    while (before && same < values.length && same < before.parts.length) {
      if (!saysTheSame(before.parts[same]?.copy, values[same])) break;
      same++;
    }
    // The same message at another place (a window that slides) is known already.
    const known = new Map(before?.parts.slice(same).map((part) => [part.digest, part]));
    const list = before ?? { parts: [], chain: [], kept: 0 };
    this.#lists.set(name, list);
    list.parts.length = same;
    list.chain.length = same;
    list.kept = Math.min(list.kept, same);
    for (let i = same; i < values.length; i++) {
      const part = partOf(values[i], null);
      list.parts.push(known.get(part.digest) ?? part);
      list.chain.push(hashOf((list.chain.at(-1) ?? "") + part.digest));
    }
    return list;
  }

  /** The list, as the longest kept one that it begins with and what follows. */
  #node(hash: string, { parts, chain }: List): Blob {
    let known = chain.length - 1;
    while (known >= 0 && !this.#nodes.has(chain[known] as string)) known--;
    const node = { after: chain[known] ?? null, items: parts.slice(known + 1).map(({ digest }) => digest) };
    return { hash, value: JSON.stringify(node) };
  }
}

/** The fields of a request by their plain names. One that is no record is a field of its own. */
function fieldsIn(request: unknown): [string, unknown][] {
  const prototype =
    typeof request === "object" && request !== null ? Object.getPrototypeOf(request) : undefined;
  if (prototype !== Object.prototype && prototype !== null) return [[WHOLE, request]];
  return Object.entries(request as object)
    .filter(([, value]) => value !== undefined && typeof value !== "function")
    .map(([name, value]) => [toPlainKey(name), value]);
}

/** Those behind the ones that are known to be kept: mostly what is new. */
function unkeptOf(list: List): Part[] {
  while (list.parts[list.kept]?.blobs.length === 0) list.kept++;
  return list.parts.slice(list.kept);
}

/** The canonical JSON of a record of digests. */
function recordOf(digests: readonly (readonly [string, string])[]): string {
  const fields = new Map(digests);
  const names = [...fields.keys()].sort(); // by UTF-16 code units, as RFC 8785 has it
  return `{${names.map((name) => `${JSON.stringify(name)}:"${fields.get(name)}"`).join()}}`;
}

/** `instead` stands for what says nothing: an item of a list is null then, as in JSON. */
function partOf(value: unknown, instead?: null): Part {
  const blobs: Blob[] = [];
  const said = toPlain(value, (hash, bytes) => {
    blobs.push({ hash, value: Buffer.from(bytes).toString("base64") });
  });
  const plain = said === undefined ? instead : said;
  const text = canonicalOf(plain);
  const digest = hashOf(text);
  const isShort = text.length <= SHORT && blobs.length === 0;
  const field = isShort ? { is: plain } : { blob: digest };
  return {
    copy: copyOf(plain),
    digest,
    field: plain === undefined ? undefined : field,
    blobs: [{ hash: digest, value: text }, ...blobs],
  };
}

/** A copy of what toPlain made. The whole conversation is compared with its copy at every call: it is made for that. */
type Copy = string | number | boolean | null | undefined | readonly Copy[] | Fields | typeof OTHER;

/** A record: its keys in their order, and what each holds. */
class Fields {
  readonly keys: readonly string[];
  readonly values: readonly Copy[];

  constructor(plain: object) {
    this.keys = Object.keys(plain);
    this.values = Object.values(plain).map(copyOf);
  }
}

/** What has no JSON form, and a record that looks like it: nothing says the same, and it is hashed anew. */
const OTHER = Symbol("other");

function copyOf(plain: unknown): Copy {
  if (typeof plain !== "object" || plain === null) return plain as Copy;
  if (Array.isArray(plain)) return plain.map(copyOf);
  const fields = new Fields(plain);
  return fields.keys.some((key) => key.startsWith("$")) ? OTHER : fields;
}

/** Is `value` what `copy` was made of, its keys in the same order? */
function saysTheSame(copy: Copy, value: unknown): boolean {
  if (typeof value !== "object" || value === null) return copy === value;
  if (Array.isArray(value)) {
    if (!Array.isArray(copy) || copy.length !== value.length) return false;
    for (let i = 0; i < value.length; i++) if (!saysTheSame(copy[i], value[i])) return false; // `every` skips holes
    return true;
  }
  if (!(copy instanceof Fields)) return false;
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  const { keys, values } = copy;
  let i = 0;
  for (const key in value) {
    const field = (value as Record<string, unknown>)[key];
    if (field === undefined || (typeof field === "function" && key !== "toJSON")) continue;
    if (key !== keys[i]) return false;
    const kept = values[i++];
    if (kept !== field && (typeof field !== "object" || !saysTheSame(kept, field))) return false;
  }
  return i === keys.length;
}
