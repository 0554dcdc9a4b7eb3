import { doubtsIn, fold, keyOf, seqOf, upTo } from "./fold.ts";
import {
  type Guard,
  type Head,
  NOBODY,
  type Property,
  type Rules,
  type Scene,
  type Session,
  type State,
  type Statement,
} from "./model.ts";

/*
 * What Postgres makes of a statement, and the process that sent it of the answer. One statement is one stroke; between
 * two of them anything may happen. Each condition stands here as it stands in the SQL.
 */

/** The statement arrives: its conditions are looked at, and whoever waits for it hears what came of it. */
export function arrive(state: State, sent: Statement, scene: Scene, rules: Rules): void {
  const on: On = {
    state,
    sent,
    scene,
    holds: (guard) => !rules.without.has(guard),
    head: headOf(state, sent.run),
  };
  if (sent.kind === "take") take(on);
  else if (sent.kind === "append") append(on);
  else if (sent.kind === "park") park(on);
  else if (sent.kind === "outside") writeOutside(on);
  else if (sent.kind === "give back") giveBack(on);
  else notice(on);
}

export const headOf = (state: State, run: number): Head => state.heads[run] as Head;

export function violate(state: State, property: Property): void {
  state.broken ??= property;
}

interface On {
  readonly state: State;
  readonly sent: Statement;
  readonly scene: Scene;
  readonly holds: (guard: Guard) => boolean;
  readonly head: Head;
}

const isAlive = ({ workers }: State, worker: number) => worker >= 0 && (workers[worker]?.until ?? 0) > 0;
const hasSession = ({ workers }: State, worker: number) => worker >= 0 && (workers[worker]?.session ?? false);

function take(on: On): void {
  const { state, sent, holds, head } = on;
  const { worker, run, epoch, owner, fresh, mine } = sent;
  const isDead = !isAlive(state, head.leasedBy) || !holds("take: owner dead");
  const isGone =
    owner !== NOBODY &&
    ((head.leasedBy === owner && fresh) || !holds("take: beats")) &&
    (!hasSession(state, head.leasedBy) || !holds("take: lock gone"));
  const mayTake =
    (head.epoch === epoch || !holds("take: epoch")) &&
    (isAlive(state, worker) || !holds("take: taker alive")) &&
    (head.status === "waiting" ||
      (head.status === "running" &&
        ((head.leasedBy === worker && (mine || !holds("take: mine"))) || isDead || isGone)));
  const session = listener(on);
  if (!mayTake) {
    if (session) state.sessions[worker as number]?.splice(run, 1, undefined); // looks again
    return;
  }
  mustNotWork(on);
  head.status = "running";
  head.on = "";
  head.leasedBy = worker;
  beginEpoch(on, holds("take: raises") ? 1 : 0);
  if (!session) return;
  session.at = "taken";
  session.epoch = head.epoch;
}

function append(on: On): void {
  const { state, sent, holds, head } = on;
  const { worker, epoch, number, facts, seen } = sent;
  const ends = facts.includes("E");
  const session = listener(on);
  const letsIn =
    (head.epoch === epoch || !holds("append: epoch")) &&
    (head.appends === number - 1 || !holds("append: number")) &&
    (head.status === "running" || (!ends && head.status === "waiting") || !holds("append: status"));
  if (letsIn && saysOfDoubt(facts) && seqOf(head.ledger) !== seen && holds("append: seq")) {
    if (session) unsay(on, session);
    return;
  }
  if (letsIn) {
    mustOwn(on);
    const after = seqOf(head.ledger);
    head.appends = number;
    write(on, facts);
    head.appendSeq = seqOf(head.ledger);
    if (ends) {
      head.status = "succeeded";
      head.leasedBy = NOBODY;
    }
    head.on = head.status === "waiting" ? "caller" : "";
    if (session) land(on, session, after);
    return;
  }
  if (!session) return;
  // whyRefused
  if (head.epoch !== epoch) fence(session);
  else if (head.appends === number && holds("append: recognised")) {
    const after = head.appendSeq - facts.length / 2;
    if (head.ledger.slice(after * 3, head.appendSeq * 3) !== rowsOf(facts, epoch)) violate(state, "believed");
    else land(on, session, after);
  } else if (
    head.appends === number - 1 &&
    (head.status === "running" || (!ends && head.status === "waiting"))
  ) {
    state.sent.push({ ...sent, worker }); // busy: sent again
  } else fence(session);
}

function park(on: On): void {
  const { state, sent, holds, head, scene } = on;
  const { run, epoch, number, seen, facts } = sent;
  const waitingOn = facts === "" ? "caller" : "doubt";
  const session = listener(on);
  const letsIn =
    (head.epoch === epoch || !holds("park: epoch")) &&
    (head.appends === number - 1 || !holds("park: number")) &&
    (seqOf(head.ledger) === seen || !holds("park: seq")) &&
    (head.status === "running" || !holds("park: status"));
  if (letsIn) {
    mustOwn(on);
    head.appends = number;
    write(on, "P-");
    head.appendSeq = seqOf(head.ledger);
    head.status = "waiting";
    head.on = waitingOn;
    head.leasedBy = NOBODY;
    const now = fold(effectsOf(scene, run), head.ledger);
    if (waitingOn === "doubt" && now && doubtsIn(now, true).length === 0) violate(state, "woken");
  }
  if (!session) return;
  // PARKED
  if (letsIn || (head.epoch === epoch && head.appends === number && head.status === "waiting")) {
    if (head.ledger.at(head.appendSeq * 3 - 3) !== "P") violate(state, "believed");
    session.number++;
    halt(session, false);
    return;
  }
  catchUp(on, session, seqOf(head.ledger));
  if (head.epoch !== epoch) fence(session);
  else if (head.status !== "running") session.releasing = false; // given up after its tries
}

function writeOutside(on: On): void {
  const { sent, holds, head } = on;
  if (seqOf(head.ledger) !== sent.seen && holds("outside: seq")) return;
  if (head.status === "succeeded") return;
  if (head.status === "waiting") {
    head.on = "caller";
    if (holds("outside: raises")) {
      head.epoch++;
      head.appends = 0;
    }
  }
  write(on, sent.facts);
}

function giveBack(on: On): void {
  const { sent, holds, head } = on;
  if (head.leasedBy !== sent.worker) return;
  if (head.epoch !== sent.epoch && holds("give back: epoch")) return;
  mustNotWork(on);
  head.status = "waiting";
  head.on = "caller";
  head.leasedBy = NOBODY;
}

// The join with `workers` is looked at before the row is locked. Should the row have changed meanwhile, Postgres looks
// again, but with the worker it had joined: it does not fit the new owner, and as an outer join gives nulls, which pass.
function notice(on: On): void {
  const { state, sent, holds, head } = on;
  if (head.leasedBy === NOBODY) return;
  if (head.leasedBy === sent.owner && isAlive(state, sent.owner) && holds("notice: owner dead")) return;
  if (head.leasedBy !== sent.owner && holds("notice: epoch")) return;
  mustNotWork(on);
  head.status = "waiting";
  head.on = "caller";
  head.leasedBy = NOBODY;
  beginEpoch(on, 1);
}

function beginEpoch(on: On, by: number): void {
  const { state, sent, head } = on;
  head.epoch += by;
  head.appends = 0;
  write(on, "T-");
  head.appendSeq = seqOf(head.ledger);
  for (const age of state.ages[sent.run] ?? []) age.takeover = 0;
}

/** Inserts the entries, stamped with the head's epoch. No outcome may change by it, and the product must read it. */
function write({ state, sent, scene, head }: On, facts: string): void {
  const effects = effectsOf(scene, sent.run);
  const before = fold(effects, head.ledger);
  head.ledger += rowsOf(facts, head.epoch);
  const after = fold(effects, head.ledger);
  if (!after) violate(state, "ledger");
  if (!before || !after) return;
  for (const [key, step] of before.steps) {
    if (step.at !== "observed" && step.at !== "done") continue;
    if (after.steps.get(key)?.at !== step.at) violate(state, "ledger");
  }
  if (after.outcome && !before.outcome && doubtsIn(after, true).length > 0) violate(state, "settled");
  for (let at = 0; at < facts.length; at += 2) {
    const age = facts[at] === "I" ? state.ages[sent.run]?.[Number(facts[at + 1])] : undefined;
    if (age) Object.assign(age, { intent: 0, takeover: 0, by: sent.worker });
  }
}

/** The rows that facts become. */
function rowsOf(facts: string, epoch: number): string {
  let rows = "";
  for (let at = 0; at < facts.length; at += 2) rows += facts.slice(at, at + 2) + epoch.toString(36);
  return rows;
}

/** Who writes as an owner must be the owner. Late words on a run that is parked are nobody else's either. */
function mustOwn({ state, sent, head }: On): void {
  const isOwners = head.status === "waiting" || head.leasedBy === sent.worker;
  if (head.epoch !== sent.epoch || !isOwners) violate(state, "fenced");
}

/** The run changes hands: its owner must not be at work on it under a lease that is good, its session being seen. */
function mustNotWork({ state, sent, head }: On): void {
  const owner = state.workers[head.leasedBy];
  const session = state.sessions[head.leasedBy]?.[sent.run];
  if (!owner || !session || head.status !== "running") return;
  const works = session.at === "working" && !session.stopped && session.epoch === head.epoch;
  if (works && owner.own > 0 && owner.session && !session.lapsed) violate(state, "alive");
}

/** The session that waits for this statement. */
function listener({ state, sent }: On): Session | undefined {
  return sent.heard ? state.sessions[sent.worker]?.[sent.run] : undefined;
}

export const effectsOf = (scene: Scene, run: number) => scene.runs[run] as Scene["runs"][number];

/** The append is in, after entry `after`: what others wrote before it is folded first. */
function land(on: On, session: Session, after: number): void {
  const { state, sent } = on;
  session.number = sent.number;
  catchUp(on, session, after);
  // Its own entries were read already, as somebody else's: they do not follow themselves.
  if (session.seen > after) {
    violate(state, "believed");
    return;
  }
  session.seen = after + sent.facts.length / 2;
  for (let at = 0; at < sent.facts.length; at += 2) {
    const step = Number(sent.facts[at + 1]);
    const now = session.steps[step];
    if (now === "i") setStep(session, step, "d");
    else if (now === "b") setStep(session, step, "s");
    else if (now === "y") setStep(session, step, session.stopped ? "n" : ".");
    else if (now === "r") setStep(session, step, session.stopped ? "n" : ".");
    if (sent.facts[at] === "E") state.sessions[sent.worker]?.splice(sent.run, 1, undefined);
  }
  recheck(on, session);
}

/** Folds what others wrote, and lets those go on that waited for it. */
function catchUp(on: On, session: Session, seq: number): void {
  session.seen = Math.max(session.seen, seq);
  recheck(on, session);
}

function recheck({ scene, sent, head, holds }: On, session: Session): void {
  const run = fold(effectsOf(scene, sent.run), upTo(head.ledger, session.seen));
  const isOpen = (step: number) =>
    ["intended", "doubted"].includes(run?.steps.get(keyOf(step))?.at ?? "none");
  if (holds("append: seq")) withdraw(session, isOpen);
  for (const [step, at] of [...session.steps].entries()) {
    if (!/[wvq]/.test(at) || isOpen(step)) continue;
    if (at !== "q" || holds("append: seq")) setStep(session, step, at === "v" ? "s" : ".");
  }
}

/** What was to be said of a doubt, and is not yet on its way, is not said where somebody else has said it. */
function withdraw(session: Session, isOpen: (step: number) => boolean): void {
  let said = "";
  for (let at = 0; at < session.said.length; at += 2) {
    const step = Number(session.said[at + 1]);
    if (!saysOfDoubt(session.said[at] as string) || isOpen(step)) said += session.said.slice(at, at + 2);
    else if (/[ry]/.test(session.steps[step] ?? "")) setStep(session, step, session.stopped ? "n" : ".");
  }
  session.said = said;
}

const saysOfDoubt = (facts: string) => /[DYN]/.test(facts);

/** What was to be said of a doubt may have been said by somebody else: its writer reads, and decides again. */
function unsay(on: On, session: Session): void {
  const { sent, head } = on;
  let rest = "";
  for (let at = 0; at < sent.facts.length; at += 2) {
    if (!saysOfDoubt(sent.facts[at] as string)) rest += sent.facts.slice(at, at + 2);
    else {
      const step = Number(sent.facts[at + 1]);
      setStep(session, step, session.stopped ? "n" : session.steps[step] === "v" ? "s" : ".");
    }
  }
  session.said = rest + session.said;
  catchUp(on, session, seqOf(head.ledger));
}

export function setStep(session: Session, step: number, to: string): void {
  session.steps = session.steps.slice(0, step) + to + session.steps.slice(step + 1);
}

/** Nothing new begins in this session. What is out may still come back, and be written. */
export function halt(session: Session, releasing: boolean): void {
  session.stopped = true;
  session.releasing = releasing;
  session.steps = session.steps.replace(/[.qwv]/g, "n");
}

function fence(session: Session): void {
  halt(session, false);
  session.broken = true;
  session.said = "";
  session.steps = session.steps.replace(/[idryab]/g, "n");
}
