import type { Entry } from "../src/timeline/entry.ts";

/** As much of a fact as a test is about. */
interface Fact {
  readonly kind: Entry["kind"];
  readonly [field: string]: unknown;
}

/** Entries of a run, one a second; a takeover raises the epoch. `afterMs` is how long after the one before. */
export function given(...facts: Fact[]): Entry[] {
  let epoch = 0;
  let now = 0;
  return facts.map(({ afterMs = 1000, ...fact }, i) => {
    now += i === 0 ? 0 : Number(afterMs);
    if (fact.kind === "takeover") epoch++;
    return { runId: "r", seq: i + 1, epoch, at: new Date(now).toISOString(), ...fact } as Entry; // a test names what it needs
  });
}

export const start = { kind: "start", inline: true } as const;
export const takeover = (worker: string, after: "start" | "crash" | "wait" = "start") =>
  ({ kind: "takeover", worker, after }) as const;
export const intent = (step: string, name: string, effect: "once" | "idempotent" = "once") =>
  ({ kind: "intent", step, call: "tool", name, effect, key: "hf_k", digest: "d", input: { n: 1 } }) as const;
export const observation = (step: string, name: string, call: "tool" | "model" = "tool", ms?: number) =>
  ({
    kind: "observation",
    step,
    call,
    name,
    digest: "d",
    ok: true,
    output: "o",
    ...(ms === undefined ? {} : { ms }),
  }) as const;
