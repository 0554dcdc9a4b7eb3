import { canRepeat, plan } from "../../packages/core/src/step/plan.ts";
import { fold, keyOf, seqOf } from "./fold.ts";
import {
  type Guard,
  NOBODY,
  type Rules,
  type Scene,
  type Session,
  type State,
  type Statement,
} from "./model.ts";
import { knownTo, mayBegin } from "./session.ts";
import {
  aStatement,
  effectsOf,
  fence,
  flying,
  freshWorker,
  headOf,
  say,
  setStep,
  workerOf,
} from "./state.ts";
import { isOpen } from "./statements.ts";
import { leasesOf, leave } from "./worker.ts";

/**
 * What comes by itself before anything else can. What is local to a process and of no consequence before it is written
 * happens at once; what was said is sent; who has nothing left to do is gone.
 */
export function settle(to: State, scene: Scene, rules: Rules): void {
  for (const [w, worker] of to.workers.entries()) worker.strays &= leasesOf(to, w);
  for (const [w, ofWorker] of to.sessions.entries()) {
    for (const [run, session] of ofWorker.entries()) {
      if (!session) continue;
      const { at, owner, epoch } = session;
      if (at === "sighting" || at === "waiting") {
        const head = headOf(to, run);
        const isWaitedFor =
          at === "sighting" || (workerOf(to, owner).session && workerOf(to, owner).until > 0);
        if (head.leasedBy !== owner || head.epoch !== epoch || !isWaitedFor) ofWorker[run] = undefined;
      }
      if (at !== "working") continue;
      if (workerOf(to, w).process === "up") goOn(to, scene, session, w, run);
      send(to, scene, rules, session, w, run);
      const { said, words, steps, stopped, releasing, broken } = session;
      const isDone =
        (stopped || broken) && !releasing && said === "" && words === "" && !/[dcoabryu]/.test(steps);
      if (isDone && flying(to, w, run).length === 0) ofWorker[run] = undefined;
    }
  }
  if (sealing.every((guard) => !rules.without.has(guard))) seal(to, scene, rules);
}

function goOn(to: State, scene: Scene, session: Session, w: number, run: number): void {
  for (let step = 0; step < session.steps.length; step++) {
    const at = session.steps[step];
    if (at === "a") say(session, step, session.broken ? "n" : "b", `O${step}`);
    if (at !== "." || session.stopped || !mayBegin(to, scene, session, w, run, step)) continue;
    const known = knownTo(to, scene, session, run);
    if (known && plan(known.steps.get(keyOf(step)), "d", effectsOf(scene, run)[step]).do === "return")
      setStep(session, step, "s");
  }
}

/** One statement of a run's owner at a time: what was said meanwhile travels with the next. */
function send(to: State, scene: Scene, { without }: Rules, session: Session, w: number, run: number): void {
  const under = flying(to, w, run);
  if (!under.every(({ kind }) => kind === "park" && without.has("write: alone"))) return;
  const { epoch, seen } = session;
  const number = session.number + 1;
  if (session.said !== "") {
    const facts = session.said;
    session.said = "";
    to.sent.push({ ...aStatement, kind: "append", worker: w, run, heard: true, epoch, number, seen, facts });
    return;
  }
  while (session.words !== "" && under.length === 0) {
    const facts = session.words.slice(0, 2);
    session.words = session.words.slice(2);
    const read = knownTo(to, scene, session, run);
    if (read && read.epoch !== epoch && !without.has("word: epoch")) {
      fence(session);
      return;
    }
    const known = read?.steps.get(keyOf(Number(facts[1])));
    const isSaid = facts[0] === "D" ? known?.at === "doubted" : !isOpen(known);
    if (without.has("word: still open") || (isOpen(known) && !isSaid)) {
      to.sent.push({ ...aStatement, kind: "word", worker: w, run, heard: true, epoch, seen, facts });
      return;
    }
    setStep(session, Number(facts[1]), session.stopped ? "n" : isOpen(known) ? "w" : ".");
  }
}

/** The guards without which what was refused once might yet be let in. */
const sealing: readonly Guard[] = [
  "take: epoch",
  "append: epoch",
  "park: epoch",
  "word: seq",
  "word: epoch",
  "outside: seq",
  "give back: epoch",
  "check: deadline",
  "check: lapses",
  "check: stopped",
];

/**
 * Leaves out what can make no difference any more, so that there is less to explore. Epochs only rise: a statement of an
 * earlier one is refused whenever it arrives, and so it arrives now. A worker that has nothing to do with any run is one
 * that has just begun.
 */
function seal(to: State, scene: Scene, { without }: Rules): void {
  for (const [w, ofWorker] of to.sessions.entries()) {
    for (const [run, session] of ofWorker.entries())
      if (session && isPast(to, session, w, run)) bury(to, session, w, run);
  }
  to.sent = to.sent.filter((sent) => sent.heard || mayMatter(to, sent, without));
  to.calls = to.calls.filter(({ run, step, heard }) => heard || !canRepeat(effectsOf(scene, run)[step]));
  forgetAges(to, scene);
  for (const [w, worker] of to.workers.entries()) {
    const isBusy =
      to.ages.some((ofRun) => ofRun.some(({ by }) => by === w)) ||
      to.heads.some(({ leasedBy }) => leasedBy === w) ||
      to.sessions.some((ofWorker, other) =>
        ofWorker.some((session) => session && (other === w || session.owner === w)),
      ) ||
      to.sent.some((sent) => sent.worker === w || sent.owner === w);
    if (isBusy) continue;
    if (worker.process === "dead") Object.assign(worker, { until: 0, session: false });
    else to.workers[w] = freshWorker(scene.clock?.lease);
  }
}

/** Was the run taken by somebody else? */
function isPast(to: State, session: Session, w: number, run: number): boolean {
  const { status, epoch } = headOf(to, run);
  if (session.at === "sighting" || session.at === "waiting") return false;
  if (session.at !== "taking") return session.epoch !== epoch;
  return status === "succeeded" || !flying(to, w, run).some((sent) => sent.epoch === epoch);
}

function bury(to: State, session: Session, w: number, run: number): void {
  const isLapsed = session.lapsed || session.stopped || workerOf(to, w).own === 0;
  if (!session.steps.includes("c") && (isLapsed || !session.steps.includes("d"))) {
    leave(to, w, run);
    return;
  }
  // It may yet call. It may not write, and what it knows is of no use to it.
  for (const sent of to.sent) if (sent.worker === w && sent.run === run) sent.heard = false;
  Object.assign(session, { steps: session.steps.replace(/[^cd]/g, "n"), said: "", words: "", broken: true });
}

/** May a statement that nobody waits for still be let in? */
function mayMatter(to: State, sent: Statement, without: Rules["without"]): boolean {
  const { status, epoch, appends, ledger, leasedBy } = headOf(to, sent.run);
  if (sent.kind === "person") return status !== "succeeded" && sent.seen === seqOf(ledger);
  if (sent.kind === "word") return status !== "succeeded" && sent.seen === seqOf(ledger);
  if (sent.kind === "notice") return leasedBy >= 0;
  if (sent.epoch !== epoch) return false;
  if (sent.kind === "append") {
    if (status === "succeeded" && !without.has("append: status")) return false;
    return sent.number > appends || without.has("append: number");
  }
  if (sent.kind === "park") {
    const isShut = status !== "running" && !without.has("park: status");
    return !isShut && (sent.number > appends || without.has("park: number"));
  }
  if (sent.kind === "give back") return leasedBy === sent.worker;
  return status !== "succeeded";
}

/** How old an intent is matters as long as it is open. */
function forgetAges(to: State, scene: Scene): void {
  for (const [run, ofRun] of to.ages.entries()) {
    const known = fold(effectsOf(scene, run), headOf(to, run).ledger);
    for (const [step, age] of ofRun.entries()) {
      if (!isOpen(known?.steps.get(keyOf(step)))) Object.assign(age, { intent: 0, takeover: -1, by: NOBODY });
    }
  }
}
