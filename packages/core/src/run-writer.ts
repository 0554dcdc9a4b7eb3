import type { Appender } from "./appender.ts";
import { changesOf } from "./budget/tally.ts";
import { HoldfastError } from "./errors.ts";
import { type Blob, type Entry, type Fact, type Intent, type Question, stamped } from "./ledger/entry.ts";
import { advance, type Run } from "./ledger/replay.ts";
import { putBlobs } from "./store/blobs.ts";
import { appendWithin, type Window } from "./store/counts.ts";
import type { Database, Transaction } from "./store/database.ts";
import { type Leaving, park } from "./store/lease.ts";
import {
  type Append,
  type Appended,
  append as appendTo,
  type Lease,
  MOST_FACTS,
  readEntries,
  type Short,
  whyRefused,
} from "./store/ledger.ts";
import { writeOutside } from "./store/outside.ts";
import { isAway, unavailable } from "./store/pg.ts";
import { askQuestions, withdrawQuestion } from "./store/questions.ts";

/** Blobs that travel in one statement with the entry that names them. More go ahead of it. */
const MOST_BLOBS = 256;

/**
 * What one run has to say, in order. Facts are taken in at once and go out together: those of one turn of the event loop
 * in one append, and what is said while an append is under way in the next. `flush` waits for all that was said so far.
 */
export class RunWriter {
  readonly lease: Lease;
  readonly #db: Database;
  readonly #appender: Appender;
  readonly #run: Run;
  readonly #onOutside: (entries: readonly Entry[]) => void;
  readonly #onLanded: ((entry: Entry) => void) | undefined;
  readonly #onError: (error: unknown) => void;
  #said: Fact[] = [];
  #blobs: Blob[] = [];
  #ends: Append["ends"];
  /** Intents that were said and not let in: a shared budget had too little left. */
  readonly #refused = new Map<Fact, Short>();
  #number = 0;
  #flying: Promise<unknown> | undefined;
  #turn: Promise<void> | undefined;
  #broken: { error: unknown } | undefined;

  constructor(
    { db, appender }: { db: Database; appender: Appender },
    lease: Lease,
    run: Run,
    on: {
      outside: (entries: readonly Entry[]) => void;
      error: (error: unknown) => void;
      /** Something that was said is durable. */
      landed?: ((entry: Entry) => void) | undefined;
    },
  ) {
    this.lease = lease;
    this.#db = db;
    this.#appender = appender;
    this.#run = run;
    this.#onOutside = on.outside;
    this.#onError = on.error;
    this.#onLanded = on.landed;
  }

  say(...facts: readonly Fact[]): void {
    this.#said.push(...facts);
    // What is said in one turn travels together: a model's answer with the intents of the tools that it asked for.
    this.#turn ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#turn = undefined;
        this.#fly().then(resolve, (error) => {
          this.#onError(error);
          resolve();
        });
      });
    });
  }

  /** Says an intent, and is done when it is durable. Gives back the shared budget that has too little left for its hold. */
  async intend(intent: Intent): Promise<Short | undefined> {
    this.say(intent);
    await this.flush();
    const refused = this.#refused.get(intent);
    this.#refused.delete(intent);
    return refused;
  }

  /** Parts that what is said next names: they are inserted with it. */
  keep(blobs: readonly Blob[]): void {
    this.#blobs.push(...blobs);
  }

  /** Says the run's last word: it ends with it, and its lease is given back. */
  end(fact: Fact, ends: NonNullable<Append["ends"]>): Promise<void> {
    this.say(fact);
    this.#ends = ends;
    return this.flush();
  }

  /** Resolves when everything said so far is durable. Rejects where it cannot be any more: FENCED, or no database. */
  async flush(): Promise<void> {
    await this.#turn;
    await this.#fly();
  }

  /**
   * Says a fact as the last thing in a transaction of somebody else's, and commits it: what was written there and the fact
   * are durable together or not at all. Gives back the error where the transaction itself was refused: then neither is.
   * Rejects where the run cannot go on: FENCED, or no database.
   */
  async commitWith(tx: Transaction, fact: Fact): Promise<{ refused: unknown } | undefined> {
    await this.flush();
    const done = await this.#alone(() => this.#commitWith(tx, this.#counted([fact])));
    if (done && "away" in done) throw unavailable(done.away);
    return done;
  }

  /**
   * Says a fact only while `holds`, by all that was read of the ledger, and only if nobody else wrote since: what it rests
   * on is then still so. False: it does not hold any more, or somebody did.
   */
  async sayWhile(holds: () => boolean, fact: Fact): Promise<boolean> {
    await this.flush();
    return await this.#alone(async () => {
      // Asked here, where nothing of this writer's comes in between: an append may just have read what others wrote.
      if (!holds()) return false;
      this.#refuseFenced();
      const { seq, tally, epoch } = this.#run;
      const said = await writeOutside(this.#db, this.lease, seq, fact, changesOf(tally, [fact], epoch));
      await this.#catchUp(Number.POSITIVE_INFINITY);
      if (said) return true;
      const why = await whyRefused(this.#db, { lease: this.lease, number: this.#number + 1, facts: [fact] });
      if (HoldfastError.is(why)) throw why; // nothing more is let in: it need not be tried again
      return false;
    });
  }

  /** Asks people: what they find the questions by goes in with the entries. Rejects with FENCED. */
  async ask(questions: readonly Question[]): Promise<void> {
    await this.flush();
    await this.#alone(async () => {
      const append: Append = { lease: this.lease, number: this.#number + 1, facts: questions };
      let landed = await askQuestions(this.#db, append, questions);
      while (!landed) {
        const why = await whyRefused(this.#db, append, { wakes: false });
        if (HoldfastError.is(why)) throw why;
        // Either its answer was lost, or the head was busy.
        landed = why === "busy" ? await askQuestions(this.#db, append, questions) : (why as Appended);
      }
      await this.#fold(questions, landed);
    });
  }

  /** Says a fact if all the counts that it adds to have room. False: one of them has none, and nothing was said. */
  async sayWithin(fact: Fact, windows: readonly Window[]): Promise<boolean> {
    await this.flush();
    return await this.#alone(async () => {
      const append: Append = { lease: this.lease, number: this.#number + 1, facts: [fact] };
      for (;;) {
        const said = await appendWithin(this.#db, append, fact, windows);
        if (said.as === "full") return false;
        const landed = said.as === "written" ? said : await whyRefused(this.#db, append, { wakes: false });
        if (HoldfastError.is(landed)) throw landed;
        if (landed === "busy") continue;
        await this.#fold(append.facts, landed as Appended);
        return true;
      }
    });
  }

  /** Takes a question back, unless it has been settled meanwhile. Then what came of it is folded. Rejects with FENCED. */
  async withdraw(question: string): Promise<void> {
    await this.flush();
    await this.#alone(async () => {
      await withdrawQuestion(this.#db, this.lease, question);
      await this.#catchUp(Number.POSITIVE_INFINITY);
      this.#refuseFenced();
    });
  }

  /** Gives the lease back, unless others wrote meanwhile: then what they wrote is folded. Rejects with FENCED. */
  async park(leaving: Leaving, holds: () => boolean = () => true): Promise<boolean> {
    await this.flush();
    return await this.#alone(async () => {
      // Asked here, where nothing of this writer's comes in between: the flush may just have read what is waited for.
      if (!holds()) return false;
      const parked = await park(
        this.#db,
        { lease: this.lease, number: this.#number + 1 },
        this.#run.seq,
        leaving,
      );
      if (parked) {
        this.#number++;
        this.#appender.moved();
      } else await this.#catchUp(Number.POSITIVE_INFINITY);
      if (!parked) this.#refuseFenced();
      return parked;
    });
  }

  /** Folds what others have written by now. Rejects with FENCED where the run was taken over. */
  async look(): Promise<void> {
    await this.flush();
    await this.#alone(async () => {
      await this.#catchUp(Number.POSITIVE_INFINITY);
      this.#refuseFenced();
    });
  }

  /** Neither is there where it gives something back: nothing of this writer's is lost by that. */
  async #commitWith(
    tx: Transaction,
    append: Append,
  ): Promise<{ refused: unknown } | { away: unknown } | undefined> {
    let landed: Appended | undefined;
    try {
      landed = (await appendTo(tx, [append]))[0] as Appended | undefined; // it takes nothing: it is not short
      if (landed) await tx.commit();
    } catch (error) {
      await tx.rollback();
      if (landed) {
        // The answer to the commit was lost, not necessarily the commit. The head knows.
        const why = await whyRefused(this.#db, append);
        if (why !== "busy" && !HoldfastError.is(why)) {
          await this.#fold(append.facts, why as Appended);
          return undefined;
        }
      }
      return tx.isLost || isAway(error) ? { away: error } : { refused: error };
    }
    if (!landed) {
      await tx.rollback();
      const why = await whyRefused(this.#db, append);
      throw HoldfastError.is(why) ? why : new Error("the transaction's append was let in by nobody");
    }
    await this.#fold(append.facts, landed);
    return undefined;
  }

  async #fold(facts: readonly Fact[], landed: Appended): Promise<void> {
    this.#appender.moved();
    this.#landed(facts, await this.#settle(landed));
  }

  /** One append at a time: a second caller waits for the first, and for one more if it said something meanwhile. */
  async #fly(): Promise<void> {
    await this.#alone(async () => {
      while (this.#said.length > 0) await this.#append();
    });
  }

  /** Does what nothing else of this writer's may come in between of. */
  async #alone<T>(work: () => Promise<T>): Promise<T> {
    while (this.#flying !== undefined) await this.#flying;
    // What could not be written leaves a hole: nothing may follow it.
    if (this.#broken) throw this.#broken.error;
    const working = work();
    this.#flying = working;
    try {
      return await working;
    } catch (error) {
      this.#broken = { error };
      throw error;
    } finally {
      this.#flying = undefined;
    }
  }

  async #append(): Promise<void> {
    this.#said = withoutVainDoubts(this.#run, this.#said);
    if (this.#said.length === 0) return;
    let blobs = this.#blobs;
    this.#blobs = [];
    for (; blobs.length > MOST_BLOBS; blobs = blobs.slice(MOST_BLOBS)) {
      await putBlobs(this.#db, this.lease.run, blobs.slice(0, MOST_BLOBS));
    }
    // What is more than one statement takes goes in several, and the end with the last of them.
    const facts = this.#said.splice(0, this.#most());
    const ends = this.#said.length === 0 ? this.#ends : undefined;
    const append: Append = { ...this.#counted(facts), blobs, ends };
    const landed = await this.#appender.append(append);
    if ("short" in landed) {
      // Only the last of them takes. The others go without it.
      this.#refused.set(facts.at(-1) as Fact, landed);
      this.#said.unshift(...facts.slice(0, -1));
      this.#blobs.unshift(...blobs);
    } else this.#landed(facts, await this.#settle(landed));
  }

  /** An append ends with the first fact that takes from a shared budget: it may be refused, and what follows it not. */
  #most(): number {
    const takes = this.#said.findIndex((fact) => fact.kind === "intent" && fact.budgets !== undefined);
    return takes < 0 ? MOST_FACTS : Math.min(MOST_FACTS, takes + 1);
  }

  /** Facts as an append, with what they change in shared budgets. */
  #counted(facts: readonly Fact[]): Append {
    const changes = changesOf(this.#run.tally, facts, this.lease.epoch);
    return { lease: this.lease, number: this.#number + 1, facts, changes };
  }

  /** The append is in: what others wrote before it is folded first. */
  async #settle(appended: Appended): Promise<Appended> {
    this.#number++;
    await this.#catchUp(appended.after);
    return appended;
  }

  #landed(facts: readonly Fact[], { after, at }: Appended): void {
    for (const [i, fact] of facts.entries()) {
      const entry = this.#stamp(fact, after + 1 + i, at);
      advance(this.#run, entry);
      this.#onLanded?.(entry);
    }
  }

  /** Folds what others wrote up to entry `to`: an append that lands further on shows that they did. */
  async #catchUp(to: number): Promise<void> {
    if (this.#run.seq >= to) return;
    const entries = await readEntries(this.#db, this.lease, this.#run.seq, to - this.#run.seq);
    for (const entry of entries) advance(this.#run, entry);
    this.#onOutside(entries);
  }

  #refuseFenced(): void {
    const { runId, epoch } = this.lease;
    if (this.#run.epoch !== epoch)
      throw new HoldfastError("FENCED", { runId, epoch, current: this.#run.epoch });
  }

  #stamp(fact: Fact, seq: number, at: Date): Entry {
    return stamped(fact, { runId: this.lease.runId, seq, epoch: this.lease.epoch, at });
  }
}

/** Whoever doubts may not have seen what was said of the call meanwhile, of which it may still be on its way. That stands. */
function withoutVainDoubts(run: Run, facts: Fact[]): Fact[] {
  if (!facts.some(({ kind }) => kind === "doubt")) return facts;
  const said = new Set<string>();
  return facts.filter((fact) => {
    if (fact.kind !== "doubt" && fact.kind !== "observation" && fact.kind !== "resolution") return true;
    const isVain = said.has(fact.step) || run.steps.get(fact.step)?.at !== "intended";
    said.add(fact.step);
    return fact.kind !== "doubt" || !isVain;
  });
}
