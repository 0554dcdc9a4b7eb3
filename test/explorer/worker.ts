import { GHOST, NOBODY, type Rules, type Scene, type State, type Worker } from "./model.ts";
import { aStatement, freshWorker, headOf, type Moves, sessionOf, workerOf } from "./state.ts";

/*
 * A process and its heart: beats, what runs out between them, the session that holds its lock, its death. A worker that
 * has nothing to do with any run is left alone.
 */

export function moveWorker(moves: Moves, w: number): void {
  const { from, scene } = moves;
  const worker = workerOf(from, w);
  const isConcerned =
    from.heads.some(({ leasedBy }) => leasedBy === w) ||
    from.sessions[w]?.some((session) => session !== undefined);
  if (!scene.clock) runOut(moves, worker, w, isConcerned === true);
  if (worker.process === "dead") {
    moveDead(moves, worker, w);
    return;
  }
  if (worker.process === "up") {
    if (mayBeat(moves, w)) moves.add(`worker ${w} beats`, (to) => beat(to, w, scene, moves.rules));
    if (!worker.session && worker.locked) {
      moves.add(`worker ${w} hears that its session was ended`, (to) => {
        workerOf(to, w).locked = false;
      });
    }
  } else {
    moves.add(`worker ${w} goes on`, (to) => {
      const me = workerOf(to, w);
      me.process = "up";
      if (!me.session && moves.rules.assuming.has("a loss is heard first")) me.locked = false;
    });
  }
  if (!isConcerned) return;
  if (worker.session) {
    moves.disturb("disconnect", `worker ${w}: the server ends its session, though it lives`, (to) => {
      workerOf(to, w).session = false;
    });
  }
  moves.disturb("crash", `worker ${w} dies`, (to) => die(to, w));
  if (worker.process === "stopped") return;
  moves.disturb("stop", `worker ${w} is stopped`, (to) => {
    workerOf(to, w).process = "stopped";
  });
}

/** Leases run out by the worker's own clock first. While it lives and beats that is a disturbance, else only time. */
function runOut(moves: Moves, { process, own, until }: Worker, w: number, isConcerned: boolean): void {
  if (own > 0 && isConcerned) {
    const what = `worker ${w}: its lease is over, by its own clock`;
    const expire = (to: State) => {
      workerOf(to, w).own = 0;
    };
    if (process === "up") moves.disturb("expire", what, expire);
    else moves.add(what, expire);
  }
  if (own === 0 && until > 0) {
    moves.add(`worker ${w}: its lease is over, by the database's clock`, (to) => {
      workerOf(to, w).until = 0;
    });
  }
}

function moveDead(moves: Moves, { session, until }: Worker, w: number): void {
  const { from, scene } = moves;
  if (session) {
    moves.add(`worker ${w}: the server ends its session`, (to) => {
      workerOf(to, w).session = false;
    });
  }
  // Another process in its place is one more worker. It is needed where none is left.
  const isLast = from.workers.every(({ process }) => process === "dead");
  if (isLast && until === 0 && !session)
    moves.add(`worker ${w} is another process`, (to) => replace(to, w, scene));
}

/** A beat that changes nothing is none. */
export function mayBeat({ from, scene }: Moves, w: number): boolean {
  const worker = workerOf(from, w);
  const { clock } = scene;
  const { own, until } = freshWorker(clock?.lease);
  // The heart beats only while the loop turns, and an answer is waited for so long only: then nothing is called any more.
  const waiting = (from.sessions[w]?.[0]?.steps ?? "").indexOf("d");
  if (clock && waiting >= 0 && (from.ages[0]?.[waiting]?.intent ?? 0) > clock.late) return false;
  return (
    worker.own < own ||
    worker.until < until ||
    !worker.session ||
    !worker.locked ||
    worker.strays !== 0 ||
    leasesOf(from, w) !== 0 ||
    from.sessions.some((ofWorker) =>
      ofWorker.some((session) => session?.at === "sighting" && session.owner === w),
    ) ||
    from.sent.some(({ kind, owner, fresh }) => kind === "take" && owner === w && fresh)
  );
}

/** Runs that are leased to this worker: a bit each. */
export function leasesOf({ heads }: State, w: number): number {
  let leases = 0;
  for (const [run, { leasedBy }] of heads.entries()) if (leasedBy === w) leases |= 1 << run;
  return leases;
}

/** Those of them that it does not hold in memory: a claim's answer was lost. */
function straysOf(state: State, w: number, { without }: Rules): number {
  const leases = leasesOf(state, w);
  if (without.has("give back: held")) return leases;
  const sessions = state.sessions[w] ?? [];
  if (
    without.has("give back: beside waiting") &&
    sessions.some((session) => session && session.at !== "working")
  )
    return 0;
  let held = 0;
  for (const [run, session] of sessions.entries()) {
    if (
      session &&
      session.at !== "waiting" &&
      session.at !== "sighting" &&
      (!session.stopped || session.releasing)
    )
      held |= 1 << run;
  }
  return leases & ~held;
}

function beat(to: State, w: number, scene: Scene, rules: Rules): void {
  const me = workerOf(to, w);
  const { own, until } = freshWorker(scene.clock?.lease);
  for (const [run, session] of (to.sessions[w] ?? []).entries()) {
    if (!session) continue;
    const { leasedBy, epoch } = headOf(to, run);
    const isOurs = leasedBy === w && epoch === session.epoch;
    // A lease that ran out once is over for good. And while the lock was gone, others may have taken the run: it is told
    // from the head before the next call, and here at once, as nothing else of a run that was lost gets anywhere.
    if (me.own === 0) session.lapsed = true;
    if (!me.locked && session.at === "working" && !isOurs && !rules.without.has("check: still its own"))
      session.lapsed = true;
  }
  Object.assign(me, { own, until, session: true, locked: true });

  // Who saw its session gone begins its grace anew.
  if (!rules.without.has("take: beats")) {
    for (const ofWorker of to.sessions) {
      for (const [run, session] of ofWorker.entries()) {
        if (session?.at === "sighting" && session.owner === w) ofWorker[run] = undefined;
      }
    }
    for (const sent of to.sent) if (sent.kind === "take" && sent.owner === w) sent.fresh = false;
  }

  const strays = straysOf(to, w, rules);
  const again = rules.without.has("give back: twice") ? strays : strays & me.strays;
  me.strays = strays;
  for (const [run, { epoch }] of to.heads.entries()) {
    const isSent = to.sent.some((sent) => sent.kind === "give back" && sent.worker === w && sent.run === run);
    if ((again & (1 << run)) !== 0 && !isSent)
      to.sent.push({ ...aStatement, kind: "give back", worker: w, run, epoch });
  }
}

/** Whoever waited for an answer is gone; what was sent is not. */
function die(to: State, w: number): void {
  Object.assign(workerOf(to, w), { process: "dead", own: 0, locked: false, strays: 0 });
  for (const run of to.heads.keys()) if (sessionOf(to, w, run)) leave(to, w, run);
}

/** The session is no more. */
export function leave(to: State, w: number, run: number): void {
  to.sessions[w]?.splice(run, 1, undefined);
  for (const sent of to.sent) if (sent.worker === w && sent.run === run) sent.heard = false;
  for (const call of to.calls) {
    if (call.worker !== w || call.run !== run) continue;
    call.heard = false;
    call.worker = NOBODY;
  }
}

/** Another process, with a number of its own: the old one's number is nobody's any more. */
function replace(to: State, w: number, scene: Scene): void {
  to.workers[w] = freshWorker(scene.clock?.lease);
  for (const head of to.heads) if (head.leasedBy === w) head.leasedBy = GHOST;
  for (const sent of to.sent) {
    if (sent.worker === w) sent.worker = GHOST;
    if (sent.owner === w) sent.owner = GHOST;
  }
  for (const ofRun of to.ages) for (const age of ofRun) if (age.by === w) age.by = GHOST;
}
