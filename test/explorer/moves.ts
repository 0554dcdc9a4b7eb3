import { canRepeat } from "../../packages/core/src/step/plan.ts";
import { doubtsIn, fold, seqOf } from "./fold.ts";
import {
  type Clock,
  NOBODY,
  type Rules,
  type Scene,
  type State,
  type Statement,
  type Worker,
} from "./model.ts";
import { isOver, moveSession } from "./session.ts";
import { settle } from "./settle.ts";
import {
  aStatement,
  copyOf,
  effectsOf,
  headOf,
  type Move,
  type Moves,
  sessionOf,
  setStep,
  violate,
} from "./state.ts";
import { arrive } from "./statements.ts";
import { mayBeat, moveWorker } from "./worker.ts";

/** Everything that can happen next. Each is one stroke: before and after it any process may be stopped. */
export function movesFrom(scene: Scene, rules: Rules, from: State): Move[] {
  const made: Move[] = [];
  const add = (what: string, change: (to: State) => void) => {
    const to = copyOf(from);
    change(to);
    settle(to, scene, rules);
    made.push({ what, to });
  };
  const moves: Moves = {
    scene,
    rules,
    from,
    add,
    disturb(kind, what, change) {
      if (from.left === 0 || !scene.kinds.includes(kind)) return;
      add(what, (to) => {
        to.left--;
        change(to);
      });
    },
  };

  for (const n of from.sent.keys()) moveStatement(moves, n);
  for (const n of from.calls.keys()) happen(moves, n);
  for (const [w, { process }] of from.workers.entries()) {
    moveWorker(moves, w);
    if (process === "up") for (const run of scene.runs.keys()) moveSession(moves, w, run);
  }
  notice(moves);
  if (scene.people) for (const run of scene.runs.keys()) answer(moves, run, scene.people);
  if (scene.clock) tick(moves, scene.clock);
  return made;
}

function moveStatement(moves: Moves, n: number): void {
  const { scene, rules, from } = moves;
  const sent = from.sent[n] as Statement;
  if (from.sent.findIndex((one) => isAlike(one, sent)) < n) return; // two that are alike arrive alike
  const { kind, run, worker, heard, facts } = sent;
  const whose = worker >= 0 ? ` of worker ${worker}` : "";
  const what = `${kind}${facts === "" ? "" : ` ${facts}`}${whose} for run ${run}${heard ? "" : " (nobody waits)"}`;
  moves.add(`arrives: ${what}`, (to) => {
    const [arrived] = to.sent.splice(n, 1);
    arrive(to, arrived as Statement, scene, rules);
  });
  if (!heard) return;
  moves.disturb("cut", `sent again: ${what}`, (to) => {
    const first = to.sent[n] as Statement;
    to.sent.push({ ...first });
    first.heard = false;
  });
  if (kind !== "take") return;
  moves.disturb("give up", `worker ${worker} is told that there is no database`, (to) => {
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
  a.seen === b.seen &&
  a.facts === b.facts;

/** A call comes through, and if somebody still waits for it, so does its answer. */
function happen(moves: Moves, n: number): void {
  const { scene, from } = moves;
  const { run, step, worker, heard } = from.calls[n] as State["calls"][number];
  moves.add(`call ${run}.${step} happens`, (to) => {
    to.calls.splice(n, 1);
    // How often a call happens that may be repeated is all one.
    const counts = to.happened[run] as number[];
    if (!canRepeat(effectsOf(scene, run)[step])) counts[step] = (counts[step] ?? 0) + 1;
    if (counts[step] === 2) violate(to, "once");
    const session = heard ? to.sessions[worker]?.[run] : undefined;
    if (session?.steps[step] === "o") setStep(session, step, session.broken ? "n" : "a");
  });
}

/** A worker that beats marks runs whose owner's time is over. */
function notice(moves: Moves): void {
  const { scene, rules, from } = moves;
  if (!from.workers.some(({ process }) => process === "up")) return;
  for (const [run, { leasedBy: owner }] of from.heads.entries()) {
    const isDead = (from.workers[owner]?.until ?? 0) === 0;
    if (owner === NOBODY || !(isDead || rules.without.has("notice: owner dead"))) continue;
    if (from.sent.some((one) => one.kind === "notice" && one.run === run)) continue;
    const sent: Statement = { ...aStatement, kind: "notice", run, owner };
    moves.add(`somebody notices that the owner of run ${run} is dead`, (to) => {
      // If it looks at the owner again when it has the lock, there is nothing in between.
      if (rules.without.has("notice: epoch")) to.sent.push(sent);
      else arrive(to, sent, scene, rules);
    });
  }
}

/** Somebody looks at the world and says, in truth, what became of a call in doubt. */
function answer(moves: Moves, run: number, people: number): void {
  const { from, scene, rules } = moves;
  const { ledger, status } = headOf(from, run);
  const known = fold(effectsOf(scene, run), ledger);
  if (!known || status === "succeeded") return;
  if (from.sent.filter((one) => one.kind === "person" && one.run === run).length >= people) return;
  for (const { step } of doubtsIn(known, status === "waiting")) {
    const happened = (from.happened[run]?.[step] ?? 0) > 0;
    if (!happened && rules.assuming.has("people wait") && !isOver(moves, run, step)) continue;
    const facts = happened ? `y${step}` : `n${step}`;
    moves.add(`a person says that ${run}.${step} ${happened ? "happened" : "did not happen"}`, (to) => {
      to.sent.push({ ...aStatement, kind: "person", run, facts, seen: seqOf(ledger) });
    });
  }
}

/**
 * A tick: leases and calls have one less left, and a call that has none does not happen any more. A process that is up
 * beats in time, if it may beat at all.
 */
function tick(moves: Moves, { lease, limit, stall, late }: Clock): void {
  const { from } = moves;
  const isDue = ({ process, own }: Worker, w: number) => process === "up" && own <= 1 && mayBeat(moves, w);
  if (from.workers.some(isDue)) return;
  const longest = Math.max(stall, late) + lease + limit;
  moves.add("time passes", (to) => {
    for (const worker of to.workers) {
      worker.own = Math.max(0, worker.own - 1);
      worker.until = Math.max(0, worker.until - 1);
    }
    for (const call of to.calls) call.left--;
    for (const { worker, run, step } of to.calls.filter(({ left, heard }) => heard && left === 0)) {
      const session = sessionOf(to, worker, run);
      if (session.stopped) setStep(session, step, "n");
    }
    to.calls = to.calls.filter(({ left }) => left > 0);
    for (const age of to.ages.flat()) {
      if (age.by === NOBODY) continue;
      age.intent = Math.min(longest, age.intent + 1);
      if (age.takeover >= 0) age.takeover = Math.min(longest, age.takeover + 1);
    }
  });
}
