import { Attention } from "./attention.ts";
import type { Connection } from "./connection.ts";
import type { Creator } from "./creator.ts";
import { Heart } from "./heart.ts";
import { must } from "./must.ts";
import type { Means } from "./owner.ts";
import type { Database } from "./store/database.ts";
import { giveBack, noticeDead } from "./store/lease.ts";
import { expireQuestions } from "./store/questions.ts";
import { forgetWorkers } from "./store/workers.ts";

/** The leases of this process: its heart, what it works on under them, and what is looked after from beat to beat. */
export class Leases {
  /** Hears what others told the runs that this process works on. */
  readonly attention = new Attention(() => ({
    db: must(this.#connection.db, "the database of a run that is under way"),
    number: must(this.#heart, "the heart of a run that is under way").number,
  }));
  readonly #connection: Connection;
  readonly #leaseSeconds: number;
  readonly #held = new Set<string>();
  /** Runs that this process is asking for right now. */
  #creating = 0;
  #heart: Heart | undefined;
  #strays: ReadonlySet<string> = new Set();

  constructor(connection: Connection, leaseSeconds: number) {
    this.#connection = connection;
    this.#leaseSeconds = leaseSeconds;
  }

  /** The database, and a heart that beats. */
  async beating(): Promise<Means & { creator: Creator }> {
    const { db, appender, creator } = await this.#connection.opened();
    if (this.#heart?.isDead) {
      void this.#heart.stop(); // not waited for: who asks beside this one would find the next heart, and forget it
      this.#heart = undefined;
    }
    this.#heart ??= new Heart({
      connection: db.connection,
      leaseSeconds: this.#leaseSeconds,
      onBeat: (leases) => void this.#afterBeat(db, leases).catch(() => {}),
    });
    await this.#heart.started();
    return { db, appender, creator, heart: this.#heart };
  }

  /** This process works on it: a run, or one lease of a run (`run/epoch`). */
  hold(lease: string): void {
    this.#held.add(lease);
  }

  /** It works on it no more. */
  drop(lease: string): void {
    this.#held.delete(lease);
  }

  /** A run is being created or claimed. Gives back what to call once that is answered. */
  creating(): () => void {
    this.#creating++;
    return () => {
      this.#creating--;
    };
  }

  async stop(): Promise<void> {
    await this.#heart?.stop();
  }

  /** What is leased here but not worked on, at two beats in a row, goes back; and who is dead is noticed. */
  async #afterBeat(db: Database, leases: readonly string[]): Promise<void> {
    const heart = must(this.#heart, "the heart that beat");
    await this.#connection.moves.look(db);
    await noticeDead(db, heart.name).catch(() => {}); // a run that cannot be taken keeps nobody from the rest
    // A run that is being created is not lost: the answer that says it is ours may be under way.
    const strays =
      this.#creating > 0
        ? []
        : leases.filter((lease) => !this.#held.has(lease) && !this.#held.has(lease.split("/")[0] ?? ""));
    const again = strays.filter((lease) => this.#strays.has(lease));
    this.#strays = new Set(strays);
    await giveBack(db, heart.number, again);
    await expireQuestions(db);
    await forgetWorkers(db);
  }
}
