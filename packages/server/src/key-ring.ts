import type { TablesDatabase } from "@holdfast/core";
import { findKey, hashOfKey, type Key } from "./keys.ts";
import { listKeys } from "./store/keys.ts";
import { findSession } from "./store/sessions.ts";

/** How long a key that was revoked may still be taken, where the database answers. */
const FRESH_MS = 5_000;

/** The keys that are good: those given with the options, and those of the table. */
export class KeyRing {
  readonly #given: readonly Key[];
  readonly #tables: () => Promise<TablesDatabase>;
  #read: { readonly at: number; readonly keys: Promise<readonly Key[]> } | undefined;

  constructor(given: readonly Key[], tables: () => Promise<TablesDatabase>) {
    this.#given = given;
    this.#tables = tables;
  }

  /** The key of that text. */
  async byText(text: string): Promise<Key | undefined> {
    const hash = hashOfKey(text);
    return findKey(this.#given, hash) ?? findKey(await this.#kept(), hash);
  }

  /** The key that the session of that cookie was opened with, if it is still good. */
  async bySession(cookie: string): Promise<Key | undefined> {
    const name = await findSession(await this.#tables(), hashOfKey(cookie));
    if (name === undefined) return undefined;
    return [...this.#given, ...(await this.#kept())].find((key) => key.name === name);
  }

  async isEmpty(): Promise<boolean> {
    return this.#given.length === 0 && (await this.#kept()).length === 0;
  }

  async #kept(): Promise<readonly Key[]> {
    const now = performance.now();
    if (!this.#read || now - this.#read.at > FRESH_MS) {
      const keys = this.#tables().then(listKeys);
      keys.catch(() => {
        this.#read = undefined; // the next one asks again
      });
      this.#read = { at: now, keys };
    }
    return await this.#read.keys;
  }
}
