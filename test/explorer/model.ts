import type { Effect } from "../../packages/core/src/ledger/entry.ts";

/*
 * The core protocol as a finite state: what stands in Postgres, what is on its way to it, what each process knows, and
 * what has happened outside. Decisions are the product's own (`replay`, `plan`, `doubtsOf`: see fold.ts); what stands in
 * SQL is mirrored in statements.ts, condition by condition, and each condition can be taken out by its name here.
 */

/** A condition that the promise rests on, and where the product has it. */
export const guards = {
  "take: epoch": "store/lease.ts TAKE: r.epoch = $4",
  "take: raises": "store/lease.ts TAKE: epoch = r.epoch + 1",
  "take: taker alive": "store/lease.ts TAKE: exists (… w.worker = $2 and w.until > now())",
  "take: owner dead": "store/lease.ts TAKE: not exists (… w.worker = r.leased_by and w.until > now())",
  "take: mine": "store/lease.ts TAKE: r.leased_by = $2 and $7",
  "take: beats": "store/lease.ts TAKE: w.beats = $5; enter.ts begins its grace anew at another beat",
  "take: lock gone": "store/lease.ts TAKE: holdfast.lock_gone(w.worker, w.locked_in)",
  "take: grace": "enter.ts: performance.now() - gone.since < graceSeconds * 1000",
  "append: epoch": "store/ledger.ts HEAD: r.epoch = want.epoch",
  "append: number": "store/ledger.ts HEAD: r.appends = want.number - 1",
  "append: status": "store/ledger.ts HEAD: r.status = 'running' or want.ends is null and r.status in (…)",
  "append: recognised": "store/ledger.ts whyRefused: head.appends === number",
  "park: epoch": "store/lease.ts PARK: epoch = $2",
  "park: number": "store/lease.ts PARK: appends = $3 - 1",
  "park: seq": "store/lease.ts PARK: seq = $4",
  "park: status": "store/lease.ts PARK: status = 'running'",
  "outside: seq": "store/outside.ts WRITE: seq = $2",
  "outside: raises": "store/outside.ts WRITE: epoch + 1 where the run is not running",
  "notice: owner dead": "store/lease.ts NOTICE: coalesce(w.until, '-infinity') <= now()",
  "give back: held": "leases.ts #afterBeat: !this.#held.has(run)",
  "give back: twice": "leases.ts #afterBeat: this.#strays.has(lease)",
  "give back: epoch": "store/lease.ts GIVE_BACK: run || '/' || epoch = any ($2)",
  "write: alone": "run-writer.ts #alone: an append, a word and a parking never travel together",
  "word: seq": "run-writer.ts sayWhile: WRITE with the seq that the owner has seen",
  "word: epoch": "run-writer.ts sayWhile: this.#refuseFenced()",
  "check: deadline": "heart.ts mayCall: this.#pulse.isOver()",
  "check: lapses": "heart.ts mayCall: this.#pulse.lapses !== lapses",
  "check: locked": "heart.ts mayCall: this.#pulse.locked",
  "check: stopped": "going-out.ts execute: if (this.#of.stopError) throw",
  "call: intent first": "going-out.ts execute: await writer.flush()",
  "call: plan": "step/plan.ts: canRepeat(step.intent.effect) && canRepeat(effect)",
  "call: one key": "ledger/key.ts idempotencyKeyOf: of run and step alone",
  "reconcile: waits": "reconcile.ts LEFT: not done is believed once lease and time limit are over",
  "end: doubts settled": "session.ts finishOpen: doubtsOf(this.#run, true)",
  "word: still open": "run-writer.ts sayWhile: if (!holds()) return false",
  "check: still its own": "owner.ts mayDispatch: await confirmLease(db, owner.lease)",
  "notice: epoch": "store/lease.ts NOTICE: r.epoch = seen.epoch",
  "give back: beside waiting": "leases.ts #afterBeat: only a run that is being created holds it up",
  "reconcile: from the takeover": "calls.ts #ask: lostAt(this.#of.run, intent.epoch)",
} as const;
export type Guard = keyof typeof guards;

/** What the promise takes for granted of the world. */
export const assumptions = {
  "a stop ends in time":
    "no process is stopped between its last check and its call for longer than the lease and the time limit together",
  "people wait":
    "who says that a call did not happen looked when the lease and the time limit it went out under were over",
  "a loss is heard first":
    "a process that runs hears within the grace that its session was ended; one that was stopped, before anything else",
} as const;
export type Assumption = keyof typeof assumptions;

/** What may go wrong. A scene bounds how often, all kinds together; in which order is everything that is explored. */
export type Disturbance =
  | "crash" // a process dies
  | "stop" // a process stands still (SIGSTOP, a paused VM); going on is free
  | "expire" // a lease runs out while its worker lives: the database was away. While it is stopped or dead that is free
  | "disconnect" // the server ends the session that holds the worker's lock
  | "cut" // a statement's answer is lost, and it is sent again; the first copy may yet arrive
  | "give up" // a claim's answer is lost, and its caller is told that there is no database
  | "hand over" // the process is told to close
  | "overrun" // what is under way beside a doubt outlives the bound within which it may settle
  | "overdue" // a call outlives its time limit
  | "abort"; // the framework aborts a call and goes on

/** Time as ticks. Without it a lease runs out at any time, and the order is all that counts. */
export interface Clock {
  readonly lease: number;
  /** How long a call may take. */
  readonly limit: number;
  /** What `reconcile` takes for the longest that a process which still beats may put a call off: four leases. */
  readonly stall: number;
  /** How long it may put it off indeed: its loop stands still, or an answer is waited for. */
  readonly late: number;
}

export interface Scene {
  readonly workers: number;
  /** The effects of each run. */
  readonly runs: readonly (readonly Effect[])[];
  /** Are a run's effects begun side by side, or one after the other? */
  readonly abreast?: boolean;
  /** How many people may be answering at once. */
  readonly people?: number;
  /** Can the tools say what became of a call? */
  readonly reconciles?: boolean;
  /** Does who finds a run leased wait for it (`onLeased: "wait"`)? */
  readonly waits?: boolean;
  readonly disturbances: number;
  readonly kinds: readonly Disturbance[];
  readonly clock?: Clock;
}

export interface Rules {
  readonly without: ReadonlySet<Guard>;
  readonly assuming: ReadonlySet<Assumption>;
}

/** A worker whose slot was given to another process: dead for good. */
export const GHOST = -2;
export const NOBODY = -1;

export interface Worker {
  process: "up" | "stopped" | "dead";
  /** What is left of its leases by its own clock, and by the database's, which is never behind. 0: over. */
  own: number;
  until: number;
  /** Its session with the lock lives, as the server sees it; and as far as the process has heard. */
  session: boolean;
  locked: boolean;
  /** Runs that were leased here at the last beat, but not worked on: a bit each. */
  strays: number;
}

/** A row of `runs`, and its entries: three letters each, what it says, of which step, in which epoch. */
export interface Head {
  status: "waiting" | "running" | "succeeded";
  on: "" | "caller" | "doubt";
  epoch: number;
  appends: number;
  appendSeq: number;
  leasedBy: number;
  ledger: string;
}

/**
 * A run as one process sees it. `steps` has a letter for each:
 *   . not begun   q the tool is being asked   u a word on the doubt is being said   w waits for a person
 *   i the intent is being written   d it is written   r so is "it did not go out"
 *   c checked   o out   a answered   b the observation is being written   y overdue: the doubt is being written
 *   s settled   x aborted   v the run's end waits for a person   n never settles here
 */
export interface Session {
  at: "waiting" | "sighting" | "taking" | "taken" | "working";
  /** Who is waited for, or whose session was seen gone. */
  owner: number;
  /** The lease ran out since this run was asked for. */
  lapsed: boolean;
  epoch: number;
  number: number;
  seen: number;
  steps: string;
  /** Facts that no append has taken up yet, and words on doubts that are yet to be said: two letters each. */
  said: string;
  words: string;
  stopped: boolean;
  releasing: boolean;
  broken: boolean;
}

/** A statement on its way to Postgres. It arrives, whatever becomes of who sent it. */
export interface Statement {
  readonly kind: "take" | "append" | "park" | "word" | "person" | "give back" | "notice";
  worker: number;
  readonly run: number;
  /** Somebody waits for the answer. */
  heard: boolean;
  readonly epoch: number;
  readonly number: number;
  readonly seen: number;
  readonly facts: string;
  /** take: whose session was gone, or NOBODY. notice: whose lease was over. */
  owner: number;
  /** take: that owner has not beaten since. */
  fresh: boolean;
  readonly mine: boolean;
}

/** A call on its way to the outside world. */
export interface Call {
  worker: number;
  readonly run: number;
  readonly step: number;
  heard: boolean;
  left: number;
}

/** What the arithmetic of `reconcile` is about: how old a step's intent and the takeover after it are, and whose it is. */
export interface Age {
  intent: number;
  takeover: number;
  by: number;
}

export interface State {
  left: number;
  workers: Worker[];
  heads: Head[];
  sessions: (Session | undefined)[][];
  sent: Statement[];
  calls: Call[];
  /** How often each effect has happened, and under which keys. */
  happened: number[][];
  keys: string[][];
  ages: Age[][];
  /** The first property that does not hold here. */
  broken: Property | undefined;
}

export const properties = {
  once: "a once-only effect happens at most once",
  key: "an idempotent effect has one key",
  recorded: "no recorded call is made again",
  intended: "a call goes out on an intent that is written",
  ledger: "the ledger can be read, and no outcome on it changes",
  fenced: "only the owner of the current epoch writes as an owner",
  alive: "no run is taken from an owner that is alive",
  believed: "what a writer takes to be written is written",
  woken: "no wake-up is lost",
  settled: "no run ends with a doubt open",
  ends: "every run can still end",
} as const;
export type Property = keyof typeof properties;
