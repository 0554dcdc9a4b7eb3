import { idempotencyKeyOf } from "../../packages/core/src/ledger/key.ts";
import type { Run } from "../../packages/core/src/ledger/replay.ts";
import { canRepeat, plan } from "../../packages/core/src/step/plan.ts";
import { doubtsIn, fold, keyOf, seqOf, upTo } from "./fold.ts";
import { NOBODY, type Scene, type Session, type State, type Worker } from "./model.ts";
import {
  aSession,
  aStatement,
  effectsOf,
  flying,
  halt,
  headOf,
  type Moves,
  say,
  sessionOf,
  setStep,
  violate,
  workerOf,
} from "./state.ts";
import { isOpen } from "./statements.ts";

/* One run in one process: asking for it, reading it, working on it, giving it back. */

export function moveSession(moves: Moves, w: number, run: number): void {
  const session = moves.from.sessions[w]?.[run];
  if (!session) claim(moves, w, run);
  else if (session.at === "sighting") claimAfterGrace(moves, session, w, run);
  else if (session.at === "taken") read(moves, w, run);
  else if (session.at === "working") work(moves, session, w, run);
}

const isReady = ({ own, locked }: Worker) => own > 0 && locked;

function claim(moves: Moves, w: number, run: number): void {
  const { from, scene } = moves;
  const { status, on, epoch, leasedBy } = headOf(from, run);
  if (!isReady(workerOf(from, w)) || status === "succeeded" || on === "doubt") return;
  const owner = from.workers[leasedBy];
  const mine = leasedBy === w;
  if (mine && scene.waits) return; // whoever asked for it does not come back: others have to get it
  if (status === "waiting" || mine || !owner || owner.until === 0) {
    moves.add(`worker ${w} asks for run ${run}`, (to) => {
      to.sessions[w]?.splice(run, 1, { ...aSession });
      to.sent.push({ ...aStatement, worker: w, run, heard: true, epoch, mine });
    });
  } else if (!owner.session) {
    moves.add(`worker ${w} sees that the session of worker ${leasedBy} is gone`, (to) => {
      to.sessions[w]?.splice(run, 1, { ...aSession, at: "sighting", owner: leasedBy, epoch });
    });
  } else if (scene.waits) {
    moves.add(`worker ${w} waits for run ${run}`, (to) => {
      to.sessions[w]?.splice(run, 1, { ...aSession, at: "waiting", owner: leasedBy, epoch });
    });
  }
}

function claimAfterGrace(moves: Moves, { owner, epoch }: Session, w: number, run: number): void {
  const { from, rules } = moves;
  if (!isReady(workerOf(from, w))) return;
  const { process, locked } = workerOf(from, owner);
  const hasNotHeard = process === "up" && locked && rules.assuming.has("a loss is heard first");
  if (hasNotHeard && !rules.without.has("take: grace")) return;
  moves.add(`worker ${w} asks for run ${run}, worker ${owner} being gone`, (to) => {
    to.sessions[w]?.splice(run, 1, { ...aSession });
    to.sent.push({ ...aStatement, worker: w, run, heard: true, epoch, owner, fresh: true });
  });
}

function read(moves: Moves, w: number, run: number): void {
  moves.add(`worker ${w} reads run ${run}`, (to) => {
    const session = sessionOf(to, w, run);
    session.at = "working";
    session.seen = seqOf(headOf(to, run).ledger);
    session.steps = ".".repeat(effectsOf(moves.scene, run).length);
  });
}

function work(moves: Moves, session: Session, w: number, run: number): void {
  const { from } = moves;
  const { steps, said, words, stopped, releasing, broken } = session;
  for (const [step, at] of steps.split("").entries()) workOn(moves, session, w, run, step, at);

  if (!stopped) {
    const release = (to: State) => halt(sessionOf(to, w, run), true);
    if (isLapsed(moves, session, w)) moves.add(`worker ${w} stops run ${run}: its lease was over`, release);
    moves.disturb("hand over", `worker ${w} is told to close`, release);
  }
  const isBusy = flying(from, w, run).length > 0;
  if (isBusy && !(releasing && moves.rules.without.has("write: alone"))) return;
  if (releasing) {
    if (broken)
      moves.add(`worker ${w} cannot give run ${run} back`, (to) => halt(sessionOf(to, w, run), false));
    else if (!flying(from, w, run).some(({ kind }) => kind === "park")) {
      moves.add(`worker ${w} gives run ${run} back`, (to) => sendPark(to, w, run, ""));
    }
  } else if (stopped || said !== "" || words !== "") return;
  else if (/[wv]/.test(steps)) {
    const what = `worker ${w} parks run ${run}`;
    const send = (to: State) => sendPark(to, w, run, "doubt");
    if (/[idcoabry]/.test(steps)) moves.disturb("overrun", what, send);
    else moves.add(what, send);
  } else if (/^[sx]*$/.test(steps)) end(moves, session, w, run);
}

function workOn(moves: Moves, session: Session, w: number, run: number, step: number, at: string): void {
  const { stopped } = session;
  if (at === "." && !stopped && mayBegin(moves.from, moves.scene, session, w, run, step))
    begin(moves, session, w, run, step);
  else if (at === "q") ask(moves, session, w, run, step);
  else if (at === "d") check(moves, session, w, run, step);
  else if (at === "c") moves.add(`worker ${w} calls ${run}.${step}`, (to) => call(to, moves, w, run, step));
  else if (at === "o" && !stopped) giveUp(moves, w, run, step);
}

/** A step of a sequence begins when those before it have settled; none begins while the run parks. */
export function mayBegin(
  state: State,
  { abreast }: Scene,
  { steps }: Session,
  w: number,
  run: number,
  step: number,
): boolean {
  if (/[wv]/.test(steps) || flying(state, w, run).some(({ kind }) => kind === "park")) return false;
  return abreast === true || /^[sx]*$/.test(steps.slice(0, step));
}

/** The run as this process knows it. */
export const knownTo = (state: State, scene: Scene, { seen }: Session, run: number): Run | undefined =>
  fold(effectsOf(scene, run), upTo(headOf(state, run).ledger, seen));

/** What the plan says is done. What is on record needs no move: see settle.ts. */
function begin(moves: Moves, session: Session, w: number, run: number, step: number): void {
  const { from, scene, rules } = moves;
  const known = knownTo(from, scene, session, run)?.steps.get(keyOf(step));
  const planned = plan(known, "d", effectsOf(scene, run)[step]);
  const name = `${run}.${step}`;
  const isRepeat = planned.do === "resolve" && rules.without.has("call: plan");
  if (planned.do === "execute" || isRepeat) {
    if (isLapsed(moves, session, w)) return; // stops instead
    const at = rules.without.has("call: intent first") ? "d" : "i";
    moves.add(`worker ${w} intends ${name}`, (to) => say(sessionOf(to, w, run), step, at, `I${step}`));
  } else if (planned.do === "resolve") {
    moves.add(`worker ${w} is in doubt about ${name}`, (to) => {
      const mine = sessionOf(to, w, run);
      if (scene.reconciles) setStep(mine, step, "q");
      else doubt(mine, step, planned.step.at);
    });
  }
}

/** A person has to say. That there is a doubt is written, if it is not yet. */
function doubt(session: Session, step: number, at: string): void {
  setStep(session, step, at === "doubted" ? "w" : "u");
  if (at !== "doubted") session.words += `D${step}`;
}

/** The tool says what became of the call: in truth, but only as of now. */
function ask(moves: Moves, session: Session, w: number, run: number, step: number): void {
  const { from, scene, rules } = moves;
  const hasHappened = (from.happened[run]?.[step] ?? 0) > 0;
  const hear = (what: string, fact: string) =>
    moves.add(`worker ${w} hears from the tool that it ${what} ${run}.${step}`, (to) => {
      const mine = sessionOf(to, w, run);
      setStep(mine, step, "u");
      mine.words += `${fact}${step}`;
    });
  if (hasHappened) hear("did", "Y");
  else if (rules.without.has("reconcile: waits") || isOver(moves, run, step)) hear("did not do", "N");
  if (!scene.people) return;
  moves.add(`worker ${w} hears nothing from the tool about ${run}.${step}`, (to) => {
    const known = knownTo(from, scene, session, run)?.steps.get(keyOf(step));
    if (isOpen(known) || rules.without.has("word: still open"))
      doubt(sessionOf(to, w, run), step, known?.at ?? "");
    else setStep(sessionOf(to, w, run), step, ".");
  });
}

function isLapsed({ from, rules }: Moves, { lapsed }: Session, w: number): boolean {
  const isOver = workerOf(from, w).own === 0;
  return (isOver && !rules.without.has("check: deadline")) || (lapsed && !rules.without.has("check: lapses"));
}

/** Just before the call: mayDispatch, and whether the run was stopped. */
function check(moves: Moves, session: Session, w: number, run: number, step: number): void {
  const { from, scene, rules } = moves;
  const name = `${run}.${step}`;
  if ((session.stopped && !rules.without.has("check: stopped")) || isLapsed(moves, session, w)) {
    moves.add(`worker ${w} does not call ${name}`, (to) => {
      const mine = sessionOf(to, w, run);
      if (!mine.stopped) halt(mine, true);
      say(mine, step, mine.broken ? "n" : "r", `h${step}`);
    });
    return;
  }
  if (!workerOf(from, w).locked && !rules.without.has("check: locked")) return;
  moves.add(`worker ${w} may call ${name}`, (to) => {
    const { ledger } = headOf(from, run);
    const known = fold(effectsOf(scene, run), ledger)?.steps.get(keyOf(step));
    if (known?.at === "observed" || known?.at === "done") violate(to, "recorded");
    if (!ledger.includes(`I${step}${session.epoch.toString(36)}`)) violate(to, "intended");
    if (scene.clock) call(to, moves, w, run, step);
    else setStep(sessionOf(to, w, run), step, "c");
  });
}

function call(to: State, { scene, rules }: Moves, w: number, run: number, step: number): void {
  const session = sessionOf(to, w, run);
  const key =
    idempotencyKeyOf(`run${run}`, keyOf(step)) + (rules.without.has("call: one key") ? session.epoch : "");
  const keys = to.keys[run] as string[];
  const isOnce = !canRepeat(effectsOf(scene, run)[step]);
  if (keys[step] !== "" && keys[step] !== key.slice(-4) && !isOnce) violate(to, "key");
  keys[step] = key.slice(-4);
  to.calls.push({ worker: w, run, step, heard: true, left: scene.clock?.limit ?? 1 });
  setStep(session, step, "o");
}

/** The call is not waited for any longer: its time is up, or the framework has aborted it. It may yet happen. */
function giveUp(moves: Moves, w: number, run: number, step: number): void {
  const { from, scene } = moves;
  if (canRepeat(effectsOf(scene, run)[step])) return;
  const giveUp = (at: string, facts: string) => (to: State) => {
    for (const call of to.calls) {
      if (call.worker === w && call.run === run && call.step === step)
        Object.assign(call, { heard: false, worker: NOBODY });
    }
    say(sessionOf(to, w, run), step, at, facts);
  };
  const isLost = !from.calls.some((call) => call.worker === w && call.run === run && call.step === step);
  const what = `worker ${w} waits no longer for ${run}.${step}`;
  if (isLost) moves.add(what, giveUp("y", `D${step}`));
  else moves.disturb("overdue", what, giveUp("y", `D${step}`));
  moves.disturb("abort", `worker ${w} aborts ${run}.${step}`, giveUp("x", ""));
}

function sendPark(to: State, w: number, run: number, on: string): void {
  const { epoch, number, seen } = sessionOf(to, w, run);
  const kind = "park";
  to.sent.push({
    ...aStatement,
    kind,
    worker: w,
    run,
    heard: true,
    epoch,
    number: number + 1,
    seen,
    facts: on,
  });
}

function end(moves: Moves, session: Session, w: number, run: number): void {
  const { from, scene, rules } = moves;
  const known = knownTo(from, scene, session, run);
  const open = known && !rules.without.has("end: doubts settled") ? doubtsIn(known, true) : [];
  if (open.length === 0) {
    moves.add(`worker ${w} ends run ${run}`, (to) => {
      sessionOf(to, w, run).said += "E-";
    });
    return;
  }
  moves.add(`worker ${w} has doubts at the end of run ${run}`, (to) => {
    for (const { step, at } of open)
      say(sessionOf(to, w, run), step, "v", at === "intended" ? `D${step}` : "");
  });
}

/**
 * Are the lease and the time limit over of everybody who might yet make this call? With a clock it is what the product
 * reckons; without one, what it is meant to reckon.
 */
export function isOver({ from, scene, rules }: Moves, run: number, step: number): boolean {
  const age = from.ages[run]?.[step];
  if (age && scene.clock) {
    // LEFT, in ticks
    const { lease, limit, stall } = scene.clock;
    const until = from.workers[age.by]?.until ?? 0;
    const rest = rules.without.has("reconcile: from the takeover")
      ? stall - age.intent
      : lease - age.takeover;
    return age.takeover < 0 || Math.min(until, rest) + limit <= 0;
  }
  if (from.calls.some((one) => one.run === run && one.step === step)) return false;
  return !from.sessions.some((ofWorker, w) => {
    const session = ofWorker[run];
    const at = session?.steps[step];
    if (at === "c") return rules.assuming.has("a stop ends in time");
    return at === "d" && session && !session.stopped && !session.lapsed && workerOf(from, w).own > 0;
  });
}
