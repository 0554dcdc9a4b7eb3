import type { Holdfast, TablesDatabase } from "@holdfast/core";
import { type Cursor, type Snapshot, writeCursor } from "./cursor.ts";
import { Hints } from "./hints.ts";
import { readFeed, type Told, takeSnapshot } from "./store/feed.ts";

/** How often what has been written is looked for, while somebody watches, also where no hint comes. */
const LOOK_MS = 250;
/** Entries that are read at once. */
const PAGE = 500;

export interface Page {
  readonly told: readonly { readonly id: string; readonly entry: Told }[];
  readonly next: Cursor;
}

/**
 * The entries of all runs as they are committed, each once. Everybody who watches takes their steps together, so that those
 * who are up to date share what is read.
 */
export class Feed {
  readonly #tables: () => Promise<TablesDatabase>;
  readonly #hf: Holdfast;
  #hints: Hints | undefined;
  #watching = 0;
  #now: Promise<Snapshot> | undefined;
  #next: Promise<void> | undefined;
  readonly #pages = new Map<string, Promise<Page>>();

  constructor(hf: Holdfast, tables: () => Promise<TablesDatabase>) {
    this.#hf = hf;
    this.#tables = tables;
  }

  /** Everything behind `from`; without it, everything from now on. */
  async *entries(from: Cursor | undefined, signal: AbortSignal): AsyncGenerator<{ id: string; entry: Told }> {
    let cursor = from ?? { seen: await this.#snapshot() };
    this.#watching++;
    this.#hints ??= new Hints(this.#hf);
    try {
      while (!signal.aborted) {
        const { told, next } = await this.#page(cursor);
        yield* told;
        cursor = next;
        if (!next.upto) await this.#step(this.#hints);
      }
    } finally {
      if (--this.#watching === 0) {
        this.#hints.end();
        this.#hints = undefined;
      }
    }
  }

  /** Where all that is committed now has been told. */
  async here(): Promise<Cursor> {
    return { seen: await takeSnapshot(await this.#tables()) };
  }

  /** What was committed behind a place until now, a page at a time. An entry's id is the place behind it. */
  async *since(from: Cursor): AsyncGenerator<Page> {
    const now = await takeSnapshot(await this.#tables());
    for (let cursor: Cursor | undefined = from; cursor; ) {
      const page: Page = await this.#read(cursor, now);
      yield page;
      cursor = page.next.upto ? page.next : undefined;
    }
  }

  #snapshot(): Promise<Snapshot> {
    this.#now ??= this.#tables().then(takeSnapshot);
    this.#now.catch(() => {
      this.#now = undefined;
    });
    return this.#now;
  }

  /** The next look, which all take together. */
  #step(hints: Hints): Promise<void> {
    this.#next ??= hints.wait(LOOK_MS).then(() => {
      this.#next = undefined;
      this.#now = undefined;
      this.#pages.clear();
    });
    return this.#next;
  }

  async #page(cursor: Cursor): Promise<Page> {
    const key = writeCursor(cursor);
    let page = this.#pages.get(key);
    if (!page) {
      page = this.#snapshot().then((now) => this.#read(cursor, now));
      this.#pages.set(key, page);
      page.catch(() => this.#pages.delete(key));
    }
    return await page;
  }

  async #read({ seen, upto }: Cursor, now: Snapshot): Promise<Page> {
    const until = upto?.snapshot ?? now;
    if (until.id === seen.id) return { told: [], next: { seen } };
    const entries = await readFeed(await this.#tables(), seen, until, upto?.behind, PAGE);
    const told = entries.map((entry) => ({
      id: writeCursor({ seen, upto: { snapshot: until, behind: entry.place } }),
      entry,
    }));
    const last = entries.at(-1);
    const next =
      last && entries.length === PAGE
        ? { seen, upto: { snapshot: until, behind: last.place } }
        : { seen: until };
    return { told, next };
  }
}
