import { newTally, type Tally, tally } from "../budget/tally.ts";
import { unreachable } from "../unreachable.ts";
import { type Asked, answer, ask, use, withdrawUnused } from "./asked.ts";
import { corrupt } from "./corrupt.ts";
import type {
  Doubt,
  Entry,
  Intent,
  Observation,
  Outcome,
  Refusal,
  Resolution,
  Start,
  Takeover,
} from "./entry.ts";
import { lanesAlong, parseKey } from "./key.ts";
import { hear, nothingTold, type Told } from "./told.ts";

/** A place that the ledger knows: the nth call of a name in its lane, or the nth lane of a name; and what it asked. */
export interface Place {
  readonly n: number;
  readonly digest: string;
  /** Another of its row was open at the same time: their order says nothing. */
  readonly parallel: boolean;
}

/** What the ledger knows of one step. Read downwards, the union is a step's life. */
export type Step = {
  readonly key: string;
  readonly name: string;
  readonly digest: string;
  /** How often it was intended: each is at most one dispatch. */
  readonly attempts: number;
} & (
  | { readonly at: "refused"; readonly refusal: Entry<Refusal> }
  | { readonly at: "intended"; readonly intent: Entry<Intent> }
  | { readonly at: "doubted"; readonly intent: Entry<Intent>; readonly doubt: Entry<Doubt> }
  | { readonly at: "undone"; readonly intent: Entry<Intent>; readonly resolution: Entry<Resolution> }
  | { readonly at: "done"; readonly intent: Entry<Intent>; readonly resolution: Entry<Resolution> }
  | {
      readonly at: "observed";
      readonly intent: Entry<Intent> | undefined;
      readonly observation: Entry<Observation>;
    }
);

export interface Run extends Told {
  seq: number;
  epoch: number;
  start: Entry<Start> | undefined;
  takeover: Entry<Takeover> | undefined;
  /** Who worked in which epoch, and since when. */
  readonly takeovers: Map<number, Entry<Takeover>>;
  outcome: Entry<Outcome> | undefined;
  /** A fork in which a model that is asked something else than is on record is asked anew. */
  reruns: boolean;
  readonly steps: Map<string, Step>;
  /** Places by lane and name: `placesOf(run, lane, name)` reads it. */
  readonly places: Map<string, Place[]>;
  /** Lanes by parent and name: `lanesOf(run, parent, name)` reads it. */
  readonly lanes: Map<string, Place[]>;
  /** What people were asked, by the question's id, in the order of asking. */
  readonly questions: Map<string, Asked>;
  /** How many calls have gone out under a rule with a limit. */
  readonly counts: Map<string, number>;
  /** Steps that were counted ahead of their intent: under which rules, and when. */
  readonly counted: Map<string, { readonly rules: readonly string[]; readonly at: Date }>;
  attempts: { crashes: number; retries: number; resumes: number };
  /** What it has spent, and holds. */
  readonly tally: Tally;
}

/** The only way from entries to state. Same entries, same run, on any machine. */
export function replay(entries: Iterable<Entry>): Run {
  const run: Run = {
    ...nothingTold(),
    seq: 0,
    epoch: 0,
    start: undefined,
    takeover: undefined,
    takeovers: new Map(),
    outcome: undefined,
    reruns: false,
    steps: new Map(),
    places: new Map(),
    lanes: new Map(),
    questions: new Map(),
    counts: new Map(),
    counted: new Map(),
    attempts: { crashes: 0, retries: 0, resumes: 0 },
    tally: newTally(),
  };
  for (const entry of entries) advance(run, entry);
  return run;
}

/** Folds one more entry into a run. Throws LEDGER_CORRUPT where the entry cannot follow. */
export function advance(run: Run, entry: Entry): void {
  if (entry.seq !== run.seq + 1) throw corrupt(entry, `it follows entry ${run.seq}`);
  if (entry.epoch < run.epoch) throw corrupt(entry, `its epoch ${entry.epoch} is over since ${run.epoch}`);
  run.seq = entry.seq;
  run.epoch = entry.epoch;
  hear(run, entry);
  tally(run.tally, entry);

  switch (entry.kind) {
    case "start":
      if (entry.seq !== 1) throw corrupt(entry, "a run starts once");
      run.start = entry;
      break;
    case "takeover":
      run.takeover = entry;
      run.takeovers.set(entry.epoch, entry);
      run.outcome = undefined;
      if (entry.after === "crash") run.attempts.crashes++;
      if (entry.after === "retry") run.attempts.retries++;
      if (entry.after === "wait") run.attempts.resumes++;
      break;
    case "refusal":
      if (run.steps.has(entry.step)) throw corrupt(entry, `step ${entry.step} is on record already`);
      use(run.questions, entry);
      keep(run, { ...known(run, entry), at: "refused", refusal: entry }, entry.digest);
      break;
    case "intent":
      if (!isPlain(entry)) intend(run, entry);
      break;
    case "observation":
      observe(run, entry);
      break;
    case "doubt": {
      const step = run.steps.get(entry.step);
      if (step?.at !== "intended") throw corrupt(entry, "it doubts no open intent");
      run.steps.set(step.key, { ...step, at: "doubted", doubt: entry });
      break;
    }
    case "resolution": {
      const step = run.steps.get(entry.step);
      if (step?.at !== "intended" && step?.at !== "doubted") throw corrupt(entry, "it resolves nothing open");
      const { key, name, digest, attempts, intent } = step;
      const at = entry.happened ? "done" : "undone";
      run.steps.set(key, { key, name, digest, attempts, intent, at, resolution: entry });
      break;
    }
    case "question":
      ask(run.questions, entry);
      place(run, entry.step, entry.digest);
      break;
    case "answer":
      answer(run.questions, entry);
      break;
    case "note":
      if (entry.note === "counted") run.counted.set(entry.step, { rules: entry.rules, at: entry.at });
      if (entry.note === "resampled") for (const key of entry.steps) forget(run, key);
      if (entry.note === "forked") {
        // What a person said, or was asked, is about the other run's call.
        withdrawUnused(run.questions);
        run.reruns = entry.drift === "rerun";
        run.counted.clear(); // that was another run's call
        for (const key of entry.aside ?? []) forget(run, key);
      }
      break;
    case "command":
      if (entry.command !== "redrive") break;
      run.outcome = undefined;
      run.attempts = { crashes: 0, retries: 0, resumes: 0 };
      break;
    case "outcome":
      run.outcome = entry;
      break;
    default:
      unreachable(entry);
  }
}

/**
 * May the call behind this step have gone out without an answer? So it is with a doubt, and with an intent whose writer
 * lost the run before it could say what came of it: nobody may repeat it blindly, nor take it as done.
 */
export function isInDoubt(step: Step, run: Run): boolean {
  return step.at === "doubted" || (step.at === "intended" && step.intent.epoch < run.epoch);
}

/** When was the run lost to whoever worked on it in `epoch`? Undefined: it has not been, as far as the ledger goes. */
export function lostAt(run: Run, epoch: number): Date | undefined {
  for (const takeover of run.takeovers.values()) if (takeover.epoch > epoch) return takeover.at;
  return undefined;
}

/** What waits for a decision: open intents of `once` calls that nobody is working on any more. */
export function doubtsOf(run: Run, abandoned: boolean): Step[] {
  return [...run.steps.values()].filter(
    (step) =>
      step.at === "doubted" ||
      (step.at === "intended" &&
        step.intent.effect === "once" &&
        (abandoned || step.intent.epoch < run.epoch)),
  );
}

/**
 * A plain model call has no effect to fear, and no step before its answer: its intent is there for the budget alone, which
 * holds money for it.
 */
export const isPlain = ({ call, effect }: Pick<Intent, "call" | "effect">): boolean =>
  call === "model" && effect === "read";

export const placesOf = (run: Run, lane: string, name: string): readonly Place[] =>
  run.places.get(`${lane}/${name}`) ?? [];

export const lanesOf = (run: Run, parent: string, name: string): readonly Place[] =>
  run.lanes.get(`${parent}/${name}`) ?? [];

function intend(run: Run, entry: Entry<Intent>): void {
  const before = run.steps.get(entry.step);
  // A step is intended again where it may be repeated, or once it was resolved as not having happened.
  const again = before?.at === "undone" || (before?.at === "intended" && before.intent.effect !== "once");
  if (before && !again) throw corrupt(entry, `step ${entry.step} is ${before.at} already`);
  use(run.questions, entry);
  if (!before) for (const rule of entry.counted ?? []) run.counts.set(rule, (run.counts.get(rule) ?? 0) + 1);
  const step = known(run, entry);
  keep(
    run,
    { ...step, attempts: step.attempts + 1, at: "intended", intent: entry },
    entry.digest,
    entry.parallel,
    entry.beside,
  );
}

function observe(run: Run, entry: Entry<Observation>): void {
  const before = run.steps.get(entry.step);
  const intent = before && "intent" in before ? before.intent : undefined;
  if (before && before.at !== "intended" && before.at !== "doubted") {
    throw corrupt(entry, `step ${entry.step} is ${before.at} already`);
  }
  use(run.questions, entry);
  const step: Step = { ...known(run, entry), at: "observed", intent, observation: entry };
  keep(run, step, entry.digest, entry.parallel, entry.beside);
}

const known = (run: Run, entry: Entry<Intent | Observation | Refusal>) => ({
  key: entry.step,
  name: entry.name,
  digest: entry.digest,
  attempts: run.steps.get(entry.step)?.attempts ?? 0,
});

/** Keeps a step, and where it stands among its like: what a later execution is matched against. */
function keep(run: Run, step: Step, digest: string, parallel?: boolean, beside?: readonly string[]): void {
  // A time or an id that was made up here (`now()`) is no step that anybody took.
  const isMade = step.at === "observed" && !step.intent && step.observation.call === "step";
  if (!isMade && !run.steps.has(step.key)) run.stepsTaken++;
  run.steps.set(step.key, step);
  place(run, step.key, digest, parallel, beside);
}

function place(run: Run, key: string, digest: string, parallel?: boolean, beside?: readonly string[]): void {
  const { lane, place } = parseKey(key);
  if (place) put(run.places, `${lane}/${place.name}`, { n: place.n, digest, parallel: parallel ?? false });
  for (const { path, parent, name, n } of lanesAlong(lane)) {
    const siblings = run.lanes.get(`${parent}/${name}`);
    const first = siblings?.find((sibling) => sibling.n === n);
    const isBeside = beside?.includes(path) ?? false;
    if (!first) put(run.lanes, `${parent}/${name}`, { n, digest, parallel: isBeside });
    else if (isBeside && !first.parallel) put(run.lanes, `${parent}/${name}`, { ...first, parallel: true });
  }
}

function put(index: Map<string, Place[]>, key: string, place: Place): void {
  const places = index.get(key);
  const last = places?.at(-1);
  if (!places || !last) index.set(key, [place]);
  else if (last.n < place.n) places.push(place);
  else {
    const at = places.findIndex(({ n }) => n >= place.n);
    places.splice(at, places[at]?.n === place.n ? 1 : 0, place);
  }
}

/** The step was set aside: another answer takes its place. A lane that began with it is told apart by the next. */
export function forget(run: Run, key: string): void {
  const step = run.steps.get(key);
  if (!step) return;
  run.steps.delete(key);
  const { lane, place } = parseKey(key);
  if (place) drop(run.places, `${lane}/${place.name}`, place.n, step.digest);
  for (const { parent, name, n } of lanesAlong(lane)) drop(run.lanes, `${parent}/${name}`, n, step.digest);
}

function drop(index: Map<string, Place[]>, key: string, n: number, digest: string): void {
  const places = index.get(key);
  const at = places?.findIndex((place) => place.n === n && place.digest === digest) ?? -1;
  if (at >= 0) places?.splice(at, 1);
}
