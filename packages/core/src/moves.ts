import { Listener } from "./fleet/listener.ts";
import type { Database } from "./store/database.ts";
import { isListenedOn, MOVED, notifyMoved } from "./store/notify.ts";

/** Hints within so long of each other travel together. */
const COALESCE_MS = 50;
/** How long is listened on once nobody asks any more: who follows runs comes and goes. */
const LINGER_MS = 10_000;

/**
 * Tells other processes that runs have moved on, and hears it from them: a hint, for those who also look. It goes apart from
 * the appends that it is about, at most twenty times a second, and only where somebody listens: no commit waits for it.
 */
export class Moves {
  readonly #heard = new Set<() => void>();
  #listener: Listener | undefined;
  #lingering: NodeJS.Timeout | undefined;
  #isListenedOn = false;
  #resting = false;
  #moved = false;

  /** Looks whether anybody listens, in any process. Once a beat is enough: until then whoever listens looks. */
  async look(db: Database): Promise<void> {
    this.#isListenedOn = await isListenedOn(db);
  }

  /** This process has moved a run on. */
  tell(db: Database): void {
    if (!this.#isListenedOn) return;
    this.#moved = true;
    if (!this.#resting) this.#send(db);
  }

  /** Calls `heard` when a process tells that it has moved a run on, until what is given back is called. */
  listen(db: Database, heard: () => void): () => void {
    this.#heard.add(heard);
    clearTimeout(this.#lingering);
    this.#listener ??= new Listener(db.connection, () => this.#hear(), { channel: MOVED, isSeen: true });
    return () => {
      this.#heard.delete(heard);
      if (this.#heard.size === 0) this.#lingering = setTimeout(() => void this.stop(), LINGER_MS).unref();
    };
  }

  async stop(): Promise<void> {
    clearTimeout(this.#lingering);
    const listener = this.#listener;
    this.#listener = undefined;
    await listener?.stop();
  }

  #hear(): void {
    for (const heard of [...this.#heard]) heard();
  }

  #send(db: Database): void {
    this.#resting = this.#moved;
    if (!this.#moved) return;
    this.#moved = false;
    notifyMoved(db).catch(() => {}); // whoever listens also looks
    setTimeout(() => this.#send(db), COALESCE_MS).unref();
  }
}
