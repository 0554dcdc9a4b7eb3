import { expect, test } from "vitest";
import { type Explored, explore } from "./explore.ts";
import { type Assumption, assumptions, type Guard, guards, type Property, properties } from "./model.ts";
import { rulesBut, type SceneName, scenes } from "./scenes.ts";

/** For the large bounds, on a slow machine. */
const LONGEST_MS = 1_800_000;

test.each(Object.keys(scenes) as SceneName[])(
  "%s: the promise holds in every state",
  (name) => {
    const { states, moves, broken } = explore(scenes[name], rulesBut());
    console.info(`${name}: ${states} states, ${moves} moves`);
    expect(broken).toBeUndefined();
  },
  LONGEST_MS,
);

const person = "one effect, a person";
const people = "one effect, two people";
const tool = "one effect, a tool that tells, a person";
const again = "one effect that may be repeated";
const again1 = "one effect that may be repeated, one disturbance";
const abreast = "two effects side by side";
const waits = "two workers that wait for each other's run";
const clock = "a tool that tells, by the clock";

/** What is found first without a guard, and where. */
const faults: readonly (readonly [Guard, Property, SceneName])[] = [
  ["take: epoch", "alive", person],
  ["take: raises", "alive", person],
  ["take: owner dead", "alive", person],
  ["take: beats", "recorded", again],
  ["take: grace", "recorded", again1],
  ["append: epoch", "fenced", person],
  ["append: number", "ledger", person],
  ["park: epoch", "fenced", person],
  ["park: seq", "woken", person],
  ["outside: seq", "ledger", people],
  ["outside: raises", "ledger", person],
  ["notice: owner dead", "alive", person],
  ["give back: held", "alive", person],
  ["give back: epoch", "alive", person],
  ["write: alone", "believed", person],
  ["word: seq", "ledger", people],
  ["word: epoch", "fenced", people],
  ["check: deadline", "recorded", again1],
  ["check: lapses", "recorded", again1],
  ["check: locked", "recorded", again1],
  ["check: stopped", "recorded", again1],
  ["call: intent first", "intended", person],
  ["call: plan", "ledger", person],
  ["call: one key", "key", again1],
  ["reconcile: waits", "once", tool],
  ["end: doubts settled", "settled", person],
  ["word: still open", "ledger", person],
  ["word: still open", "ledger", abreast],
  ["check: still its own", "recorded", again1],
  ["notice: epoch", "alive", person],
  ["give back: beside waiting", "ends", waits],
  ["reconcile: from the takeover", "once", clock],
];
const titled = faults.map(
  ([guard, property, name]) => [guard, properties[property], property, name] as const,
);

test.each(titled)("without “%s” it is found not to hold that %s", findsWithout, LONGEST_MS);

function findsWithout(guard: Guard, _: string, property: Property, name: SceneName): void {
  const { states, broken } = explore(scenes[name], rulesBut({ without: [guard] }));
  tell(`${guard} → ${property}, after ${states} states`, broken);
  expect(broken?.property).toBe(property);
}

/** Without one of these alone nothing breaks, because of another. */
const spare: readonly (readonly [Guard, string])[] = [
  ["take: taker alive", "a worker whose time is over finds its own deadline passed before it calls"],
  ["take: mine", "a claim that comes late names an epoch that is over"],
  ["take: lock gone", "a lock comes back only with a beat, and beats are compared"],
  ["append: status", "its owner's last append is what ends a run, as long as there is no command that does"],
  [
    "append: recognised",
    "what is not recognised is taken for refused, which costs a doubt and not the promise",
  ],
  ["park: number", "a parking that comes twice finds another seq"],
  ["park: status", "a parking that comes twice finds another seq"],
  ["give back: twice", "what is held is not given back, and what is given back names its epoch"],
];

test.each(spare)(
  "without “%s” the promise still holds: %s",
  (guard) => {
    for (const name of [again, tool] as const) {
      expect(explore(scenes[name], rulesBut({ without: [guard] })).broken).toBeUndefined();
    }
  },
  LONGEST_MS,
);

test("every guard is either needed or spare", () => {
  const named = [...faults, ...spare].map(([guard]) => guard);
  expect(new Set(named)).toEqual(new Set(Object.keys(guards)));
});

const limits = (
  [
    ["a stop ends in time", "once", person],
    ["people wait", "once", person],
    ["a loss is heard first", "recorded", again1],
  ] as const
).map(
  ([assumption, property, name]) =>
    [assumptions[assumption], properties[property], assumption, property, name] as const,
);

test.each(limits)(
  "unless %s, it does not hold that %s",
  (_, __, assumption: Assumption, property, name) => {
    const { broken } = explore(scenes[name], rulesBut({ not: [assumption] }));
    tell(`not “${assumption}” → ${property}`, broken);
    expect(broken?.property).toBe(property);
  },
  LONGEST_MS,
);

/** EXPLORER_TRACE=1 tells how each fault comes about, step by step. */
function tell(what: string, broken: Explored["broken"]): void {
  const trace = process.env.EXPLORER_TRACE ? (broken?.trace ?? []) : [];
  console.info([what, ...trace.map((move, n) => `${String(n + 1).padStart(4)}  ${move}`)].join("\n"));
}
