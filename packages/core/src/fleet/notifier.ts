import type { Database } from "../store/database.ts";
import { notify, type Topic } from "../store/notify.ts";

/** Hints within so long of each other travel together. */
const COALESCE_MS = 10;

/**
 * Tells other processes that there is something to look at: a hint over polling, apart from what it is about, so that no
 * commit waits for it. The first goes out at once, those that follow closely with one another.
 */
export class Notifier {
  readonly #db: Database;
  readonly #topics = new Set<Topic>();
  #resting = false;

  constructor(db: Database) {
    this.#db = db;
  }

  tell(topic: Topic): void {
    this.#topics.add(topic);
    if (!this.#resting) this.#send();
  }

  #send(): void {
    const topics = [...this.#topics];
    this.#topics.clear();
    if (topics.length === 0) {
      this.#resting = false;
      return;
    }
    this.#resting = true;
    notify(this.#db, topics).catch(() => {}); // whoever listens also polls
    setTimeout(() => this.#send(), COALESCE_MS).unref();
  }
}
