import {
  type Assumption,
  assumptions,
  type Disturbance,
  type Guard,
  type Rules,
  type Scene,
} from "./model.ts";

/*
 * The bounds. What is committed: two or three workers, one or two runs with two effects at most, and one or two
 * disturbances of any kind at any time. A lease that runs out is one of them only where its worker lives and beats;
 * otherwise time passes as it likes, and so do restarts, beats, claims, and what people say. Epochs and appends need no
 * bound of their own: each has its cause in a disturbance.
 *
 * EXPLORER_BOUNDS=large goes as far as a few minutes and two gigabytes allow.
 */
const isLarge = process.env.EXPLORER_BOUNDS === "large";

const all: readonly Disturbance[] = [
  "crash",
  "stop",
  "expire",
  "disconnect",
  "cut",
  "give up",
  "hand over",
  "overrun",
  "overdue",
  "abort",
];
/** What a run can get over that no person answers for. */
const withoutPeople = all.filter((kind) => kind !== "abort");

const sceneOf = (scene: Scene, large: Partial<Scene>): Scene => (isLarge ? { ...scene, ...large } : scene);

export const scenes = {
  "three workers, two runs": sceneOf(
    {
      workers: 3,
      runs: [["once"], ["idempotent"]],
      reconciles: true,
      disturbances: 1,
      kinds: ["crash", "stop"],
    },
    { kinds: withoutPeople },
  ),
  "two workers, two runs": sceneOf(
    { workers: 2, runs: [["once"], ["idempotent"]], reconciles: true, disturbances: 1, kinds: withoutPeople },
    { disturbances: 2, kinds: ["crash", "stop"] },
  ),
  "three workers, two effects in a row": sceneOf(
    { workers: 3, runs: [["once", "idempotent"]], people: 1, disturbances: 2, kinds: all },
    {},
  ),
  "one effect, a person": sceneOf(
    { workers: 2, runs: [["once"]], people: 1, disturbances: 2, kinds: all },
    { disturbances: 3 },
  ),
  "one effect, two people": sceneOf(
    { workers: 2, runs: [["once"]], people: 2, disturbances: 2, kinds: ["crash", "stop", "cut", "abort"] },
    { disturbances: 3, kinds: all },
  ),
  "one effect, a tool that tells, a person": sceneOf(
    { workers: 2, runs: [["once"]], people: 1, reconciles: true, disturbances: 2, kinds: all },
    { disturbances: 3 },
  ),
  "one effect that may be repeated": sceneOf(
    { workers: 2, runs: [["idempotent"]], disturbances: 2, kinds: all },
    { disturbances: 3 },
  ),
  "one effect that may be repeated, one disturbance": sceneOf(
    { workers: 2, runs: [["idempotent"]], disturbances: 1, kinds: all },
    {},
  ),
  "two effects side by side": sceneOf(
    {
      workers: 2,
      runs: [["once", "idempotent"]],
      abreast: true,
      people: 1,
      reconciles: true,
      disturbances: 1,
      kinds: all,
    },
    { disturbances: 2 },
  ),
  "two once-only effects side by side": sceneOf(
    { workers: 2, runs: [["once", "once"]], abreast: true, people: 1, disturbances: 1, kinds: all },
    { disturbances: 2 },
  ),
  "two workers that wait for each other's run": sceneOf(
    {
      workers: 2,
      runs: [["idempotent"], ["idempotent"]],
      waits: true,
      disturbances: 2,
      kinds: ["give up"],
    },
    { disturbances: 3 },
  ),
  // A lease is three ticks, and so are the four leases for which a wedged loop may still beat: what matters is that the
  // last of these beats is good for a lease more.
  "a tool that tells, by the clock": sceneOf(
    {
      workers: 2,
      runs: [["once"]],
      reconciles: true,
      disturbances: 1,
      kinds: ["crash"],
      clock: { lease: 3, limit: 1, stall: 3, late: 3 },
    },
    { kinds: ["crash", "stop", "disconnect"] },
  ),
} satisfies Record<string, Scene>;
export type SceneName = keyof typeof scenes;

/** All guards stand and all assumptions hold, but for these. */
export function rulesBut({
  without = [],
  not = [],
}: {
  without?: readonly Guard[];
  not?: readonly Assumption[];
} = {}): Rules {
  const assuming = new Set(Object.keys(assumptions) as Assumption[]);
  for (const assumption of not) assuming.delete(assumption);
  return { without: new Set(without), assuming };
}
