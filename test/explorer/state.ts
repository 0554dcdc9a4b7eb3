import {
  type Head,
  NOBODY,
  type Property,
  type Rules,
  type Scene,
  type Session,
  type State,
  type Statement,
  type Worker,
} from "./model.ts";

/** One thing that can happen, and what the world is after it. */
export interface Move {
  readonly what: string;
  readonly to: State;
}

/** Where moves are collected, from one state. */
export interface Moves {
  readonly scene: Scene;
  readonly rules: Rules;
  readonly from: State;
  add(what: string, change: (to: State) => void): void;
  /** A move that uses up one of the scene's disturbances. */
  disturb(kind: Scene["kinds"][number], what: string, change: (to: State) => void): void;
}

export function beginningOf({ workers, runs, disturbances, clock }: Scene): State {
  return {
    left: disturbances,
    workers: Array.from({ length: workers }, () => freshWorker(clock?.lease)),
    // As after a run that was given back. That its first owner creates it in the stroke that takes it changes nothing.
    heads: runs.map(() => ({
      status: "waiting",
      on: "caller",
      epoch: 0,
      appends: 0,
      appendSeq: 0,
      leasedBy: NOBODY,
      ledger: "S-0",
    })),
    sessions: Array.from({ length: workers }, () => runs.map(() => undefined)),
    sent: [],
    calls: [],
    happened: runs.map((effects) => effects.map(() => 0)),
    keys: runs.map((effects) => effects.map(() => "")),
    ages: clock ? runs.map((effects) => effects.map(() => ({ intent: 0, takeover: -1, by: NOBODY }))) : [],
    broken: undefined,
  };
}

/** A worker that has just beaten. With a clock a tick of its lease is kept back, as the product keeps a tenth. */
export function freshWorker(lease = 1): Worker {
  return { process: "up", own: Math.max(1, lease - 1), until: lease, session: true, locked: true, strays: 0 };
}

export const aSession: Session = {
  at: "taking",
  owner: NOBODY,
  lapsed: false,
  epoch: 0,
  number: 0,
  seen: 0,
  steps: "",
  said: "",
  words: "",
  stopped: false,
  releasing: false,
  broken: false,
};

export const aStatement: Statement = {
  kind: "take",
  worker: NOBODY,
  run: 0,
  heard: false,
  epoch: 0,
  number: 0,
  seen: 0,
  facts: "",
  owner: NOBODY,
  fresh: false,
  mine: false,
};

export function copyOf(state: State): State {
  return {
    left: state.left,
    workers: state.workers.map((worker) => ({ ...worker })),
    heads: state.heads.map((head) => ({ ...head })),
    sessions: state.sessions.map((ofWorker) => ofWorker.map((session) => session && { ...session })),
    sent: state.sent.map((statement) => ({ ...statement })),
    calls: state.calls.map((call) => ({ ...call })),
    happened: state.happened.map((ofRun) => ofRun.slice()),
    keys: state.keys.map((ofRun) => ofRun.slice()),
    ages: state.ages.map((ofRun) => ofRun.map((age) => ({ ...age }))),
    broken: state.broken,
  };
}

export const headOf = (state: State, run: number): Head => state.heads[run] as Head;
export const workerOf = (state: State, worker: number): Worker => state.workers[worker] as Worker;
/** Only where there is one. */
export const sessionOf = (state: State, worker: number, run: number) =>
  state.sessions[worker]?.[run] as Session;
export const effectsOf = (scene: Scene, run: number) => scene.runs[run] as Scene["runs"][number];

export function violate(state: State, property: Property): void {
  state.broken ??= property;
}

export function setStep(session: Session, step: number, to: string): void {
  session.steps = session.steps.slice(0, step) + to + session.steps.slice(step + 1);
}

/** Facts are taken in at once, and go out in the next append: see settle.ts. */
export function say(session: Session, step: number, to: string, facts: string): void {
  if (!session.broken) session.said += facts;
  setStep(session, step, to);
}

/** Nothing new begins in this session. What is out may still come back, and be written. */
export function halt(session: Session, releasing: boolean): void {
  session.stopped = true;
  session.releasing = releasing;
  session.steps = session.steps.replace(/[.qwv]/g, "n");
}

/** It was told that the run is another's: nothing of it can be written any more. */
export function fence(session: Session): void {
  halt(session, false);
  session.broken = true;
  session.said = "";
  session.words = "";
  session.steps = session.steps.replace(/[idrabyu]/g, "n");
}

/** The session's own statements that it waits for. */
export const flying = (state: State, worker: number, run: number) =>
  state.sent.filter((one) => one.heard && one.worker === worker && one.run === run);
