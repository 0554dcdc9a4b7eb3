import type { Session } from "./session.ts";
import { commandedRuns } from "./store/commands.ts";
import type { Database } from "./store/database.ts";

/** How often a process asks whether one of its runs was told something. */
const LOOK_MS = 250;

/**
 * Lends an ear to commands: a run in the middle of a long call writes nothing, and so would not see what others wrote to
 * it. One look for all runs of the process, as long as there are any.
 */
export class Attention {
  readonly #worker: () => { readonly db: Database; readonly number: number };
  readonly #sessions = new Map<string, Set<Session>>();
  #timer: NodeJS.Timeout | undefined;
  #looking = false;

  constructor(worker: () => { readonly db: Database; readonly number: number }) {
    this.#worker = worker;
  }

  get sessions(): Session[] {
    return [...this.#sessions.values()].flatMap((sessions) => [...sessions]);
  }

  /** Attends to a run until what it gives back is called. A process may be at one run twice: the first is fenced then. */
  attend(run: string, session: Session): () => void {
    const sessions = this.#sessions.get(run) ?? new Set();
    this.#sessions.set(run, sessions.add(session));
    this.#schedule();
    return () => {
      sessions.delete(session);
      if (sessions.size === 0 && this.#sessions.get(run) === sessions) this.#sessions.delete(run);
      if (this.#sessions.size > 0) return;
      clearTimeout(this.#timer);
      this.#timer = undefined;
    };
  }

  /** Looks now. */
  async look(): Promise<void> {
    if (this.#looking || this.#sessions.size === 0) return;
    this.#looking = true;
    try {
      const { db, number } = this.#worker();
      const runs = await commandedRuns(db, number);
      const looks = runs.flatMap(({ run, command }) =>
        [...(this.#sessions.get(run) ?? [])]
          .filter((session) => session.run.command?.command !== command) // it knows already
          .map((session) => session.look()),
      );
      await Promise.all(looks);
    } catch {
      // the database is away: the next look finds what there is
    } finally {
      this.#looking = false;
    }
  }

  #schedule(): void {
    if (this.#timer) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.look().finally(() => {
        if (this.#sessions.size > 0) this.#schedule();
      });
    }, LOOK_MS).unref();
  }
}
