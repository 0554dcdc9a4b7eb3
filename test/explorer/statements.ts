import { doubtsIn, fold, keyOf, seqOf, upTo } from "./fold.ts";
import {
  type Guard,
  type Head,
  NOBODY,
  type Rules,
  type Scene,
  type Session,
  type State,
  type Statement,
} from "./model.ts";
import { effectsOf, fence, halt, headOf, setStep, violate } from "./state.ts";

/*
 * What Postgres makes of a statement, and the process that sent it of the answer. One statement is one stroke; between
 * two of them anything may happen. Each condition stands here as it stands in the SQL.
 */

/** The statement arrives: its conditions are looked at, and whoever waits for it hears what came of it. */
export function arrive(state: State, sent: Statement, scene: Scene, rules: Rules): void {
  const head = headOf(state, sent.run);
  const session = sent.heard ? state.sessions[sent.worker]?.[sent.run] : undefined;
  arrivals[sent.kind]({ state, sent, scene, head, session, holds: (guard) => !rules.without.has(guard) });
}

interface On {
  readonly state: State;
  readonly sent: Statement;
  readonly scene: Scene;
  readonly head: Head;
  /** The session that waits for the answer. */
  readonly session: Session | undefined;
  readonly holds: (guard: Guard) => boolean;
}

const arrivals: Record<Statement["kind"], (on: On) => void> = {
  take,
  append,
  park,
  word,
  person: (on) => void writeOutside(on, on.holds("outside: seq")),
  "give back": giveBack,
  notice,
};

function take(on: On): void {
  const { state, sent, head, session, holds } = on;
  const { worker, run, epoch, owner, fresh, mine } = sent;
  const isAlive = (one: number) => one >= 0 && (state.workers[one]?.until ?? 0) > 0;
  const hasSession = head.leasedBy >= 0 && (state.workers[head.leasedBy]?.session ?? false);
  const isMine = head.leasedBy === worker && (mine || !holds("take: mine"));
  const isDead = !isAlive(head.leasedBy) || !holds("take: owner dead");
  const isGone =
    owner !== NOBODY &&
    ((head.leasedBy === owner && fresh) || !holds("take: beats")) &&
    (!hasSession || !holds("take: lock gone"));
  const mayTake =
    (head.epoch === epoch || !holds("take: epoch")) &&
    (isAlive(worker) || !holds("take: taker alive")) &&
    (head.status === "waiting" || (head.status === "running" && (isMine || isDead || isGone)));
  if (!mayTake) {
    if (session) state.sessions[worker]?.splice(run, 1, undefined); // looks again
    return;
  }
  mustNotBeAtWork(on);
  head.status = "running";
  head.on = "";
  head.leasedBy = worker;
  beginEpoch(on, holds("take: raises") ? 1 : 0);
  const taker = state.workers[worker];
  if (taker) taker.strays &= ~(1 << run); // a lease of another epoch is another lease
  if (!session) return;
  session.at = "taken";
  session.epoch = head.epoch;
}

function append(on: On): void {
  const { state, sent, head, session, holds } = on;
  const { epoch, number, facts } = sent;
  const ends = facts.includes("E");
  const isOpen = head.status === "running" || (!ends && head.status === "waiting");
  const letsIn =
    (head.epoch === epoch || !holds("append: epoch")) &&
    (head.appends === number - 1 || !holds("append: number")) &&
    (isOpen || !holds("append: status"));
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
  } else if (head.appends === number - 1 && isOpen)
    state.sent.push(sent); // busy: sent again
  else fence(session);
}

function park(on: On): void {
  const { state, sent, scene, head, session, holds } = on;
  const { run, epoch, number, seen, facts } = sent;
  const waitingOn = facts === "" ? "caller" : "doubt";
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

/** sayWhile: the owner's word on a doubt, by the statement that outside writers use. */
function word(on: On): void {
  const { sent, head, session, holds } = on;
  const isLast = seqOf(head.ledger) === sent.seen || !holds("word: seq");
  if (isLast && head.status !== "succeeded") mustOwn(on);
  const isSaid = writeOutside(on, holds("word: seq"));
  if (!session) return;
  catchUp(on, session, seqOf(head.ledger));
  const step = Number(sent.facts[1]);
  if (session.stopped) setStep(session, step, "n");
  else if (isSaid) setStep(session, step, sent.facts[0] === "D" ? "w" : ".");
  else if (head.epoch !== sent.epoch) fence(session);
  else if (!isOpen(knownTo(on, session)?.steps.get(keyOf(step)))) setStep(session, step, ".");
  else session.words = sent.facts + session.words; // #ask says it again
}

function writeOutside(on: On, compares: boolean): boolean {
  const { sent, head, holds } = on;
  if (compares && seqOf(head.ledger) !== sent.seen) return false;
  if (head.status === "succeeded") return false;
  if (head.status === "waiting") {
    head.on = "caller";
    if (holds("outside: raises")) {
      head.epoch++;
      head.appends = 0;
    }
  }
  write(on, sent.facts);
  return true;
}

function giveBack(on: On): void {
  const { sent, head, holds } = on;
  if (head.leasedBy !== sent.worker) return;
  if (head.epoch !== sent.epoch && holds("give back: epoch")) return;
  mustNotBeAtWork(on);
  head.status = "waiting";
  head.on = "caller";
  head.leasedBy = NOBODY;
}

// The join with `workers` is looked at before the row is locked. Should the row have changed meanwhile, Postgres looks
// again, but with the worker it had joined: it does not fit the new owner, and as an outer join gives nulls, which pass.
function notice(on: On): void {
  const { state, sent, head, holds } = on;
  if (head.leasedBy === NOBODY || (head.leasedBy !== sent.owner && holds("notice: epoch"))) return;
  const isAlive = (state.workers[sent.owner]?.until ?? 0) > 0;
  if (head.leasedBy === sent.owner && isAlive && holds("notice: owner dead")) return;
  mustNotBeAtWork(on);
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
  for (const age of state.ages[sent.run] ?? []) if (age.takeover < 0) age.takeover = 0;
}

/** Inserts the entries, stamped with the head's epoch. The product must read them, and no outcome may change by them. */
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
    if (age) Object.assign(age, { intent: 0, takeover: -1, by: sent.worker });
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
  const isTheirs = head.status === "waiting" || head.leasedBy === sent.worker;
  if (head.epoch !== sent.epoch || !isTheirs) violate(state, "fenced");
}

/** The run changes hands: its owner must not be at work on it under a lease that is good, its session being there. */
function mustNotBeAtWork({ state, sent, head }: On): void {
  const owner = state.workers[head.leasedBy];
  const session = state.sessions[head.leasedBy]?.[sent.run];
  if (!owner || !session || head.status !== "running") return;
  const isAtWork = session.at === "working" && !session.stopped && session.epoch === head.epoch;
  if (isAtWork && owner.own > 0 && owner.session && !session.lapsed) violate(state, "alive");
}

/** The append is in, after entry `after`: what others wrote before it is folded first. */
function land(on: On, session: Session, after: number): void {
  const { state, sent } = on;
  session.number = sent.number;
  catchUp(on, session, after);
  // Its own entries were read already, as if somebody else had written them: they do not follow themselves.
  if (session.seen > after) violate(state, "believed");
  session.seen = after + sent.facts.length / 2;
  for (let at = 0; at < sent.facts.length; at += 2) {
    const step = Number(sent.facts[at + 1]);
    const next = written[session.steps[step] ?? ""];
    if (next) setStep(session, step, next === "." && session.stopped ? "n" : next);
    if (sent.facts[at] === "E") state.sessions[sent.worker]?.splice(sent.run, 1, undefined);
  }
}

/** What a step is at once its fact is written. */
const written: Readonly<Record<string, string>> = { i: "d", b: "s", y: ".", r: "n" };

/** Folds what others wrote, and lets those go on that waited for it. */
function catchUp(on: On, session: Session, seq: number): void {
  session.seen = Math.max(session.seen, seq);
  const known = knownTo(on, session);
  for (const [step, at] of session.steps.split("").entries()) {
    if ((at === "w" || at === "v") && !isOpen(known?.steps.get(keyOf(step))))
      setStep(session, step, at === "w" ? "." : "s");
  }
}

/** The run as the session's process knows it. */
const knownTo = ({ scene, sent, head }: On, { seen }: Session) =>
  fold(effectsOf(scene, sent.run), upTo(head.ledger, seen));

/** Is it yet to be said what came of this step? */
export const isOpen = (step: { readonly at: string } | undefined) =>
  step?.at === "intended" || step?.at === "doubted";
