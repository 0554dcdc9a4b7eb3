import { idempotencyKeyOf } from "../../packages/core/src/ledger/key.ts";
import { isInDoubt } from "../../packages/core/src/ledger/replay.ts";
import { canRepeat, plan } from "../../packages/core/src/step/plan.ts";
import { doubtsIn, fold, keyOf, seqOf, upTo } from "./fold.ts";
import {
  copyOf,
  type Disturbance,
  fresh,
  GHOST,
  type Guard,
  NOBODY,
  type Rules,
  type Scene,
  type Session,
  type State,
  type Statement,
  type Worker,
} from "./model.ts";
import { arrive, effectsOf, halt, headOf, setStep, violate } from "./statements.ts";

export interface Move {
  /** What happened, to be read in a trace. */
  readonly what: string;
  readonly to: State;
}

/** Everything that can happen next. Each is one stroke: before and after it any process may be stopped. */
export function movesFrom(scene: Scene, rules: Rules, from: State): Move[] {
  const moves: Move[] = [];
  const can: Can = {
    scene,
    rules,
    from,
    move(what, change) {
      const to = copyOf(from);
      change(to);
      settle(to, scene, rules);
      moves.push({ what, to });
    },
    disturb(kind, what, change) {
      if (from.left === 0 || !scene.kinds.includes(kind)) return;
      can.move(what, (to) => {
        to.left--;
        change(to);
      });
    },
  };

  for (const [n, sent] of from.sent.entries()) moveStatement(can, sent, n);
  for (const [n, call] of from.calls.entries()) {
    if (call.left > 0) can.move(`call ${call.run}.${call.step} happens`, (to) => happen(to, n, scene));
  }
  for (const [w, worker] of from.workers.entries()) {
    moveWorker(can, worker, w);
    if (worker.process !== "up") continue;
    for (const run of scene.runs.keys()) {
      const session = from.sessions[w]?.[run];
      if (!session) claim(can, w, run);
      else if (session.at === "sighting") claimAfterGrace(can, session, w, run);
      else if (session.at === "taken") read(can, w, run);
      else if (session.at === "working") work(can, session, w, run);
    }
  }
  notice(can);
  if (scene.people) for (const run of scene.runs.keys()) answer(can, run);
  if (scene.clock) tick(can);
  return moves;
}

interface Can {
  readonly scene: Scene;
  readonly rules: Rules;
  readonly from: State;
  move(what: string, change: (to: State) => void): void;
  /** A move that uses up one of the scene's disturbances. */
  disturb(kind: Disturbance, what: string, change: (to: State) => void): void;
}

const sessionOf = (state: State, worker: number, run: number) => state.sessions[worker]?.[run] as Session;
const workerOf = (state: State, worker: number) => state.workers[worker] as Worker;

function moveStatement(can: Can, sent: Statement, n: number): void {
  const { scene, rules, from } = can;
  const { kind, run, worker, heard, facts } = sent;
  if (from.sent.findIndex((one) => isAlike(one, sent)) < n) return; // two that are alike arrive alike
  const whose = worker >= 0 ? ` of worker ${worker}` : "";
  const what = `${kind}${facts === "" ? "" : ` ${facts}`}${whose} for run ${run}${heard ? "" : " (nobody waits)"}`;
  can.move(`arrives: ${what}`, (to) => {
    const [arrived] = to.sent.splice(n, 1);
    arrive(to, arrived as Statement, scene, rules);
  });
  if (!heard) return;
  can.disturb("cut", `sent again: ${what}`, (to) => {
    const first = to.sent[n] as Statement;
    to.sent.push({ ...first });
    first.heard = false;
  });
  if (kind !== "take") return;
  can.disturb("give up", `worker ${worker} is told that there is no database`, (to) => {
    (to.sent[n] as Statement).heard = false;
    to.sessions[worker]?.splice(run, 1, undefined);
  });
}

const isAlike = (a: Statement, b: Statement) =>
  a.kind === b.kind &&
  a.worker === b.worker &&
  a.run === b.run &&
  a.heard === b.heard &&
  a.epoch === b.epoch &&
  a.number === b.number &&
  a.facts === b.facts;

function happen(to: State, n: number, scene: Scene): void {
  const [call] = to.calls.splice(n, 1);
  if (!call) return;
  const { run, step, worker, heard } = call;
  const counts = to.happened[run] as number[];
  const isOnce = !canRepeat(effectsOf(scene, run)[step]);
  if (isOnce) counts[step] = (counts[step] ?? 0) + 1; // how often a call happens that may be repeated is all one
  if (counts[step] === 2) violate(to, "once");
  const session = heard ? to.sessions[worker]?.[run] : undefined;
  if (session?.steps[step] === "o") setStep(session, step, session.broken ? "n" : "a");
}

// --- a worker, its heart and its process

function moveWorker(can: Can, worker: Worker, w: number): void {
  const { scene, rules, from } = can;
  const holds = from.heads.some(({ leasedBy }) => leasedBy === w);
  const isConcerned = holds || from.sessions[w]?.some((session) => session !== undefined);
  if (worker.process === "up") {
    if (mayBeat(can, worker, w)) can.move(`worker ${w} beats`, (to) => beat(to, w, scene, rules));
    if (!worker.session && worker.locked) {
      can.move(`worker ${w} hears that its session was ended`, (to) => {
        workerOf(to, w).locked = false;
      });
    }
  }
  if (worker.own > 0 && isConcerned && !scene.clock) {
    const what = `worker ${w}: its lease is over, by its own clock`;
    const expire = (to: State) => {
      workerOf(to, w).own = 0;
    };
    if (worker.process === "up") can.disturb("expire", what, expire);
    else can.move(what, expire);
  }
  if (worker.own === 0 && worker.until > 0 && !scene.clock) {
    can.move(`worker ${w}: its lease is over, by the database's clock`, (to) => {
      workerOf(to, w).until = 0;
    });
  }
  if (worker.session && worker.process === "dead") {
    can.move(`worker ${w}: the server ends its session`, (to) => {
      workerOf(to, w).session = false;
    });
  }
  if (worker.process === "dead") {
    // A process that is replaced is one more worker. It is needed where none is left.
    const isLast = from.workers.every(({ process }) => process === "dead");
    if (isLast && worker.until === 0 && !worker.session) {
      can.move(`worker ${w} is another process`, (to) => restart(to, w, scene));
    }
    return;
  }
  if (isConcerned) {
    if (worker.session) {
      can.disturb("disconnect", `worker ${w}: the server ends its session, though it lives`, (to) => {
        workerOf(to, w).session = false;
      });
    }
    can.disturb("crash", `worker ${w} dies`, (to) => die(to, w));
    if (worker.process === "up") {
      can.disturb("stop", `worker ${w} is stopped`, (to) => {
        workerOf(to, w).process = "stopped";
      });
    }
  }
  if (worker.process === "stopped") {
    can.move(`worker ${w} goes on`, (to) => {
      const me = workerOf(to, w);
      me.process = "up";
      if (!me.session && rules.assuming.has("a loss is heard first")) me.locked = false;
    });
  }
}

/** A beat that changes nothing is none. */
function mayBeat({ scene, from }: Can, worker: Worker, w: number): boolean {
  const { clock } = scene;
  if (clock) {
    // The thread renews only while the loop turns, and a statement is tried again for so long only.
    const steps = from.sessions[w]?.[0]?.steps ?? "";
    for (const [step, at] of [...steps].entries()) {
      if (at === "d" && (from.ages[0]?.[step]?.intent ?? 0) >= clock.late) return false;
    }
  }
  return (
    worker.own < fresh(clock?.lease ?? 1).own ||
    worker.until < (clock?.lease ?? 1) ||
    !worker.session ||
    !worker.locked ||
    worker.strays !== straysOf(from, w) ||
    worker.strays !== 0 ||
    from.sessions.some((ofWorker) => ofWorker.some((session) => session?.owner === w)) ||
    from.sent.some(({ owner, fresh, kind }) => kind === "take" && owner === w && fresh)
  );
}

/** Runs that are leased to this worker in the database, and that it does not hold in memory: a bit each. */
function straysOf({ heads, sessions }: State, w: number): number {
  let strays = 0;
  for (const [run, { leasedBy }] of heads.entries()) {
    const session = sessions[w]?.[run];
    const isHeld =
      session !== undefined && session.at !== "sighting" && (!session.stopped || session.releasing);
    if (leasedBy === w && !isHeld) strays |= 1 << run;
  }
  return strays;
}

function beat(to: State, w: number, scene: Scene, { without }: Rules): void {
  const me = workerOf(to, w);
  const mine = to.sessions[w] ?? [];
  // A lease that ran out once is over for good.
  if (me.own === 0) for (const session of mine) if (session) session.lapsed = true;
  // While its lock was gone, others may have taken its runs.
  if (!me.locked && !without.has("beat: leases")) {
    for (const [run, session] of mine.entries()) {
      const { leasedBy, epoch } = headOf(to, run);
      if (session?.at === "working" && !(leasedBy === w && epoch === session.epoch)) session.lapsed = true;
    }
  }
  const { own, until } = fresh(scene.clock?.lease ?? 1);
  Object.assign(me, { own, until, session: true, locked: true });
  if (!without.has("take: beats")) {
    for (const ofWorker of to.sessions) {
      for (const [run, session] of ofWorker.entries()) {
        if (session?.at === "sighting" && session.owner === w) ofWorker[run] = undefined;
      }
    }
    for (const sent of to.sent) if (sent.kind === "take" && sent.owner === w) sent.fresh = false;
  }

  let leased = 0;
  for (const [run, { leasedBy }] of to.heads.entries()) if (leasedBy === w) leased |= 1 << run;
  const strays = without.has("give back: held") ? leased : straysOf(to, w);
  const again = without.has("give back: twice") ? strays : strays & me.strays;
  me.strays = strays;
  for (const [run, { epoch }] of to.heads.entries()) {
    if ((again & (1 << run)) === 0) continue;
    if (to.sent.some((sent) => sent.kind === "give back" && sent.worker === w && sent.run === run)) continue;
    to.sent.push({ ...aStatement, kind: "give back", worker: w, run, epoch });
  }
}

function die(to: State, w: number): void {
  Object.assign(workerOf(to, w), { process: "dead", own: 0, locked: false, strays: 0 });
  leave(to, w);
}

/** Whoever waited for an answer is gone; what was sent is not. */
function leave(to: State, w: number): void {
  to.sessions[w] = (to.sessions[w] ?? []).map(() => undefined);
  for (const sent of to.sent) if (sent.worker === w) sent.heard = false;
  for (const call of to.calls) {
    if (call.worker !== w) continue;
    call.heard = false;
    call.worker = NOBODY;
  }
}

/** Another process, with a number of its own, in the same place: the old one's number is nobody's any more. */
function restart(to: State, w: number, scene: Scene): void {
  to.workers[w] = fresh(scene.clock?.lease ?? 1);
  for (const head of to.heads) if (head.leasedBy === w) head.leasedBy = GHOST;
  for (const sent of to.sent) {
    if (sent.worker === w) sent.worker = GHOST;
    if (sent.owner === w) sent.owner = GHOST;
  }
  for (const ofWorker of to.sessions) {
    for (const [run, session] of ofWorker.entries()) if (session?.owner === w) ofWorker[run] = undefined;
  }
  for (const ofRun of to.ages) for (const age of ofRun) if (age.by === w) age.by = GHOST;
}

// --- taking a run

const aStatement: Statement = {
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

const aSession: Session = {
  at: "taking",
  owner: NOBODY,
  lapsed: false,
  epoch: 0,
  number: 0,
  seen: 0,
  steps: "",
  said: "",
  stopped: false,
  releasing: false,
  broken: false,
};

const isReady = ({ own, locked }: Worker) => own > 0 && locked;
const isOver = ({ workers }: State, owner: number) =>
  owner < 0 || workerOf({ workers } as State, owner).until === 0;

function claim(can: Can, w: number, run: number): void {
  const { from } = can;
  const { status, on, epoch, leasedBy } = headOf(from, run);
  if (!isReady(workerOf(from, w)) || status === "succeeded" || on === "doubt") return;
  const mine = leasedBy === w;
  if (status === "waiting" || mine || isOver(from, leasedBy)) {
    can.move(`worker ${w} asks for run ${run}`, (to) => {
      to.sessions[w]?.splice(run, 1, { ...aSession });
      to.sent.push({ ...aStatement, worker: w, run, heard: true, epoch, mine });
    });
  } else if (!workerOf(from, leasedBy).session) {
    can.move(`worker ${w} sees that the session of worker ${leasedBy} is gone`, (to) => {
      to.sessions[w]?.splice(run, 1, { ...aSession, at: "sighting", owner: leasedBy, epoch });
    });
  }
}

function claimAfterGrace(can: Can, { owner, epoch }: Session, w: number, run: number): void {
  const { from, rules } = can;
  if (!isReady(workerOf(from, w))) return;
  const { process, locked } = workerOf(from, owner);
  const hasNotHeard = process === "up" && locked && rules.assuming.has("a loss is heard first");
  if (hasNotHeard && !rules.without.has("take: grace")) return;
  can.move(`worker ${w} asks for run ${run}, worker ${owner} being gone`, (to) => {
    to.sessions[w]?.splice(run, 1, { ...aSession });
    to.sent.push({ ...aStatement, worker: w, run, heard: true, epoch, owner, fresh: true });
  });
}

function read(can: Can, w: number, run: number): void {
  const { from, scene } = can;
  can.move(`worker ${w} reads run ${run}`, (to) => {
    const session = sessionOf(to, w, run);
    session.at = "working";
    session.seen = seqOf(headOf(from, run).ledger);
    session.steps = ".".repeat(effectsOf(scene, run).length);
  });
}

// --- working on it

function work(can: Can, session: Session, w: number, run: number): void {
  const { from } = can;
  const { steps, said, stopped, releasing, broken } = session;
  const isFlying = from.sent.some((one) => one.heard && one.worker === w && one.run === run);
  for (const [step, at] of [...steps].entries()) workOn(can, session, w, run, step, at);

  if (!stopped) {
    const release = (to: State) => halt(sessionOf(to, w, run), true);
    if (isLapsed(can, session, w)) can.move(`worker ${w} stops run ${run}: its lease was over`, release);
    can.disturb("hand over", `worker ${w} is told to close`, release);
  }
  if (isFlying || said !== "") return;
  if (releasing) {
    if (broken)
      can.move(`worker ${w} cannot give run ${run} back`, (to) => halt(sessionOf(to, w, run), false));
    else can.move(`worker ${w} gives run ${run} back`, (to) => sendPark(to, w, run, ""));
  } else if (!stopped && /[wv]/.test(steps)) {
    const what = `worker ${w} parks run ${run}`;
    const send = (to: State) => sendPark(to, w, run, "doubt");
    if (/[idcoabry]/.test(steps)) can.disturb("overrun", what, send);
    else can.move(what, send);
  } else if (!stopped && /^[sx]*$/.test(steps)) end(can, session, w, run);
}

function workOn(can: Can, session: Session, w: number, run: number, step: number, at: string): void {
  const { from, scene, rules } = can;
  const { stopped, broken } = session;
  const name = `${run}.${step}`;
  const move = (what: string, to: string, facts = "") =>
    can.move(`worker ${w} ${what} ${name}`, (state) => say(sessionOf(state, w, run), step, to, facts));

  if (at === "." && !stopped && mayBegin(from, scene, session, w, run, step))
    planStep(can, session, w, run, step);
  else if (at === "q" && !stopped) {
    if ((from.happened[run]?.[step] ?? 0) > 0) move("hears from the tool that it did", "r", `Y${step}`);
    else if (rules.without.has("reconcile: waits") || isLandedFor(can, run, step))
      move("hears from the tool that it did not do", "r", `N${step}`);
    if (scene.people)
      move("hears nothing from the tool about", "w", isDoubted(can, session, run, step) ? "" : `D${step}`);
  } else if (at === "d") check(can, session, w, run, step);
  else if (at === "c") {
    can.move(`worker ${w} calls ${name}`, (to) => call(to, w, run, step, scene, rules));
  } else if (at === "o") {
    const loose = (to: string, facts: string) => (state: State) => {
      for (const out of state.calls) {
        if (out.worker !== w || out.run !== run || out.step !== step) continue;
        out.heard = false;
        out.worker = NOBODY;
      }
      say(sessionOf(state, w, run), step, to, facts);
    };
    const isOnce = !canRepeat(effectsOf(scene, run)[step]);
    const isLost =
      scene.clock && !from.calls.some((out) => out.worker === w && out.run === run && out.left > 0);
    const what = `worker ${w} waits no longer for ${name}`;
    if (isOnce && isLost)
      can.move(what, loose(stopped || broken ? "n" : "y", stopped || broken ? "" : `D${step}`));
    else if (isOnce && !stopped) can.disturb("overdue", what, loose("y", `D${step}`));
    if (!stopped) can.disturb("abort", `worker ${w} aborts ${name}`, loose("x", ""));
  }
}

/** Facts are taken in at once, and go out in the next append: see `settle`. */
function say(session: Session, step: number, to: string, facts: string): void {
  if (!session.broken) session.said += facts;
  setStep(session, step, to);
}

/** A step of a sequence begins when those before it have settled; none begins while the run parks. */
function mayBegin(
  state: State,
  scene: Scene,
  { steps }: Session,
  w: number,
  run: number,
  step: number,
): boolean {
  if (/[wv]/.test(steps)) return false;
  if (state.sent.some((one) => one.kind === "park" && one.heard && one.worker === w && one.run === run))
    return false;
  return scene.abreast === true || /^[sx]*$/.test(steps.slice(0, step));
}

const seenBy = ({ from, scene }: Can, { seen }: Session, run: number) =>
  fold(effectsOf(scene, run), upTo(headOf(from, run).ledger, seen));

const isDoubted = (can: Can, session: Session, run: number, step: number) =>
  seenBy(can, session, run)?.steps.get(keyOf(step))?.at === "doubted";

function planStep(can: Can, session: Session, w: number, run: number, step: number): void {
  const { scene, rules } = can;
  const known = seenBy(can, session, run);
  if (!known) return;
  const effect = effectsOf(scene, run)[step];
  const planned = plan(known.steps.get(keyOf(step)), "d", effect);
  const name = `${run}.${step}`;
  const move = (what: string, to: string, facts = "") =>
    can.move(`worker ${w} ${what} ${name}`, (state) => say(sessionOf(state, w, run), step, to, facts));

  if (planned.do === "execute" || (planned.do === "resolve" && rules.without.has("call: plan"))) {
    if (isLapsed(can, session, w)) return; // stops instead
    move("intends", rules.without.has("call: intent first") ? "d" : "i", `I${step}`);
  } else if (planned.do === "resolve") {
    if (scene.reconciles) move("asks the tool about", "q");
    else move("is in doubt about", "w", planned.step.at === "doubted" ? "" : `D${step}`);
    if (!isInDoubt(planned.step, known) && planned.step.at === "intended") return; // aborted in this very epoch
  } else throw new Error(`nobody planned for ${planned.do}`);
}

function isLapsed({ from, rules }: Can, { lapsed }: Session, w: number): boolean {
  const isOver = workerOf(from, w).own === 0;
  return (isOver && !rules.without.has("check: deadline")) || (lapsed && !rules.without.has("check: lapses"));
}

/** Just before the call: mayDispatch, and whether the run was stopped. */
function check(can: Can, session: Session, w: number, run: number, step: number): void {
  const { from, scene, rules } = can;
  const name = `${run}.${step}`;
  if ((session.stopped && !rules.without.has("check: stopped")) || isLapsed(can, session, w)) {
    can.move(`worker ${w} does not call ${name}`, (to) => {
      const mine = sessionOf(to, w, run);
      if (!mine.stopped) halt(mine, true);
      say(mine, step, mine.broken ? "n" : "r", `h${step}`);
    });
    return;
  }
  if (!workerOf(from, w).locked && !rules.without.has("check: locked")) return;
  can.move(`worker ${w} may call ${name}`, (to) => {
    const { ledger } = headOf(from, run);
    const known = fold(effectsOf(scene, run), ledger)?.steps.get(keyOf(step));
    if (known?.at === "observed" || known?.at === "done") violate(to, "recorded");
    if (!ledger.includes(`I${step}${session.epoch.toString(36)}`)) violate(to, "intended");
    if (scene.clock) call(to, w, run, step, scene, rules);
    else setStep(sessionOf(to, w, run), step, "c");
  });
}

function call(to: State, w: number, run: number, step: number, scene: Scene, { without }: Rules): void {
  const session = sessionOf(to, w, run);
  const key =
    idempotencyKeyOf(`run${run}`, keyOf(step)) + (without.has("call: one key") ? session.epoch : "");
  const keys = to.keys[run] as string[];
  const short = key.slice(-4);
  if (keys[step] !== "" && keys[step] !== short && canRepeat(effectsOf(scene, run)[step])) violate(to, "key");
  keys[step] = short;
  to.calls.push({ worker: w, run, step, heard: true, left: scene.clock?.limit ?? 1 });
  setStep(session, step, "o");
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

function end(can: Can, session: Session, w: number, run: number): void {
  const known = seenBy(can, session, run);
  const open = known && !can.rules.without.has("end: doubts settled") ? doubtsIn(known, true) : [];
  if (open.length > 0) {
    can.move(`worker ${w} has doubts at the end of run ${run}`, (to) => {
      for (const { step, at } of open) {
        say(sessionOf(to, w, run), step, "v", at === "intended" ? `D${step}` : "");
      }
    });
    return;
  }
  can.move(`worker ${w} ends run ${run}`, (to) => {
    sessionOf(to, w, run).said += "E-";
  });
}

// --- others

/** A worker that beats marks runs whose owner's time is over. */
function notice(can: Can): void {
  const { from, scene, rules } = can;
  if (!from.workers.some(({ process }) => process === "up")) return;
  for (const [run, { leasedBy }] of from.heads.entries()) {
    if (leasedBy === NOBODY || !(isOver(from, leasedBy) || rules.without.has("notice: owner dead"))) continue;
    if (from.sent.some((one) => one.kind === "notice" && one.run === run)) continue;
    const sent: Statement = { ...aStatement, kind: "notice", run, owner: leasedBy };
    can.move(`somebody notices that the owner of run ${run} is dead`, (to) => {
      // What was seen of the owner is seen again once the row is locked: then there is nothing in between.
      if (rules.without.has("notice: epoch")) to.sent.push(sent);
      else arrive(to, sent, scene, rules);
    });
  }
}

/** Somebody looks at the world and says, in truth, what became of a call in doubt. */
function answer(can: Can, run: number): void {
  const { from, scene, rules } = can;
  const { ledger, status } = headOf(from, run);
  const known = fold(effectsOf(scene, run), ledger);
  if (!known || status === "succeeded") return;
  if (from.sent.filter((one) => one.kind === "outside" && one.run === run).length >= (scene.people ?? 0))
    return;
  for (const { step } of doubtsIn(known, status === "waiting")) {
    const happened = (from.happened[run]?.[step] ?? 0) > 0;
    if (!happened && rules.assuming.has("people wait") && !isLandedFor(can, run, step)) continue;
    const facts = happened ? `y${step}` : `n${step}`;
    can.move(`a person says that ${run}.${step} ${happened ? "happened" : "did not happen"}`, (to) => {
      to.sent.push({ ...aStatement, kind: "outside", run, facts, seen: seqOf(ledger) });
    });
  }
}

/**
 * Are the lease and the time limit over of everybody who might yet make this call? With a clock it is what the product
 * reckons; without one, what it is meant to reckon.
 */
function isLandedFor({ from, scene, rules }: Can, run: number, step: number): boolean {
  if (scene.clock) return isLandedByClock(from, scene.clock, run, step, rules);
  if (from.calls.some((call) => call.run === run && call.step === step)) return false;
  return !from.sessions.some((ofWorker, w) => {
    const session = ofWorker[run];
    const at = session?.steps[step];
    if (at === "c") return rules.assuming.has("a stop ends in time");
    return at === "d" && session && !session.stopped && !session.lapsed && workerOf(from, w).own > 0;
  });
}

/** LEFT, in ticks: least(until of the worker, intent + four leases) + time limit. */
function isLandedByClock(
  { ages, workers }: State,
  { lease, limit, late }: NonNullable<Scene["clock"]>,
  run: number,
  step: number,
  { without }: Rules,
): boolean {
  const age = ages[run]?.[step];
  if (!age) return true;
  const until = age.by < 0 ? 0 : workerOf({ workers } as State, age.by).until;
  const fromIntent = late - age.intent;
  const fromTakeover = lease - age.takeover;
  const left = Math.min(until, without.has("reconcile: from the takeover") ? fromIntent : fromTakeover);
  return left + limit <= 0;
}

function tick(can: Can): void {
  const { scene } = can;
  const { lease, limit, late } = scene.clock as NonNullable<Scene["clock"]>;
  const longest = late + lease + limit;
  can.move("time passes", (to) => {
    for (const worker of to.workers) {
      worker.own = Math.max(0, worker.own - 1);
      worker.until = Math.max(0, worker.until - 1);
    }
    for (const call of to.calls) call.left = Math.max(0, call.left - 1);
    to.calls = to.calls.filter(({ left }) => left > 0);
    for (const ofRun of to.ages) {
      for (const age of ofRun) {
        age.intent = Math.min(longest, age.intent + 1);
        age.takeover = Math.min(longest, age.takeover + 1);
      }
    }
  });
}

/** What happens by itself before anything else can: what was said is sent, and who has nothing left to do is gone. */
function settle(to: State, scene: Scene, { without }: Rules): void {
  for (const [w, ofWorker] of to.sessions.entries()) {
    for (const run of scene.runs.keys()) {
      const session = ofWorker[run];
      if (!session) continue;
      const { at, owner, epoch, stopped, releasing } = session;
      const head = headOf(to, run);
      if (at === "sighting" && (head.leasedBy !== owner || head.epoch !== epoch)) ofWorker[run] = undefined;
      if (at !== "working") continue;
      if (workerOf(to, w).process === "up") goOn(to, scene, session, w, run);
      const { said, steps } = session;
      const flying = to.sent.filter((one) => one.heard && one.worker === w && one.run === run);
      const mayAppend = flying.every(
        ({ kind }) => kind === "park" && without.has("append: not while parking"),
      );
      if (said !== "" && mayAppend) {
        const number = session.number + 1;
        const { seen } = session;
        session.said = "";
        const kind = "append";
        to.sent.push({ ...aStatement, kind, worker: w, run, heard: true, epoch, number, seen, facts: said });
      } else if (said === "" && flying.length === 0 && (stopped || session.broken) && !releasing && !/[dcoabry]/.test(steps)) {
        ofWorker[run] = undefined;
      }
    }
  }
  if (sealing.every((guard) => !without.has(guard))) seal(to, scene);
}

/** What is local to a process, and makes no difference to anybody else before it is written: nothing lies in between. */
function goOn(to: State, scene: Scene, session: Session, w: number, run: number): void {
  for (let step = 0; step < session.steps.length; step++) {
    const at = session.steps[step];
    if (at === "a") say(session, step, session.broken ? "n" : "b", `O${step}`);
    if (at !== "." || session.stopped || !mayBegin(to, scene, session, w, run, step)) continue;
    const effects = effectsOf(scene, run);
    const known = fold(effects, upTo(headOf(to, run).ledger, session.seen));
    if (known && plan(known.steps.get(keyOf(step)), "d", effects[step]).do === "return")
      setStep(session, step, "s");
  }
}

/** The guards without which what was refused once might yet be let in. */
const sealing: readonly Guard[] = [
  "take: epoch",
  "append: epoch",
  "append: number",
  "append: status",
  "park: epoch",
  "park: number",
  "park: status",
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
function seal(to: State, scene: Scene): void {
  for (const [w, ofWorker] of to.sessions.entries()) {
    for (const run of scene.runs.keys()) {
      const session = ofWorker[run];
      if (!session || session.at === "sighting") continue;
      const { status, epoch } = headOf(to, run);
      const isAsking = (sent: Statement) =>
        sent.kind === "take" && sent.heard && sent.worker === w && sent.run === run && sent.epoch === epoch;
      const isOver =
        session.at === "taking" ? status === "succeeded" || !to.sent.some(isAsking) : session.epoch !== epoch;
      const isLapsed = session.lapsed || session.stopped || workerOf(to, w).own === 0;
      if (!isOver) continue;
      for (const sent of to.sent) if (sent.worker === w && sent.run === run) sent.heard = false;
      if (session.steps.includes("c") || (session.steps.includes("d") && !isLapsed)) {
        // It may yet call. It may not write, and what it knows is of no use to it.
        Object.assign(session, { steps: session.steps.replace(/[^cd]/g, "n"), said: "", broken: true });
        continue;
      }
      ofWorker[run] = undefined;
      for (const call of to.calls)
        if (call.worker === w && call.run === run) Object.assign(call, { heard: false, worker: NOBODY });
    }
  }
  to.sent = to.sent.filter((sent) => {
    const { status, epoch, appends, ledger, leasedBy } = headOf(to, sent.run);
    if (sent.heard) return true;
    if (status === "succeeded") return false;
    if (sent.kind === "outside") return sent.seen === seqOf(ledger);
    if (sent.kind === "notice") return leasedBy !== NOBODY;
    return (
      sent.epoch === epoch && (sent.kind === "take" || sent.kind === "give back" || sent.number > appends)
    );
  });
  to.calls = to.calls.filter(({ run, step, heard }) => heard || !canRepeat(effectsOf(scene, run)[step]));
  if (scene.clock) return;
  for (const [w, worker] of to.workers.entries()) {
    const isBusy =
      to.heads.some(({ leasedBy }) => leasedBy === w) ||
      to.sessions[w]?.some((session) => session !== undefined) ||
      to.sessions.some((ofWorker) => ofWorker.some((session) => session?.owner === w)) ||
      to.sent.some((sent) => sent.worker === w || sent.owner === w);
    if (isBusy) continue;
    if (worker.process === "dead") Object.assign(worker, { until: 0, session: false });
    else to.workers[w] = fresh(1);
  }
}
