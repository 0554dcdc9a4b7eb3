import { encode } from "../codec.ts";
import {
  type After,
  type Effect,
  type Entry,
  type Fact,
  type Intent,
  type Observation,
  stamped,
  type Takeover,
} from "../ledger/entry.ts";
import { idempotencyKeyOf } from "../ledger/key.ts";
import { type Run, replay } from "../ledger/replay.ts";

/** The entries that these facts become: every takeover begins a new epoch. */
export function entriesOf(...facts: readonly Fact[]): Entry[] {
  let epoch = 0;
  return facts.map((fact, i): Entry => {
    if (fact.kind === "takeover") epoch++;
    return stamped(fact, { runId: "r", seq: i + 1, epoch, at: new Date(0) });
  });
}

/** A run whose ledger holds these facts. */
export const given = (...facts: readonly Fact[]): Run => replay(entriesOf(...facts));

export const started: Fact = { kind: "start", inline: true };

export const took = (after: After = "start"): Takeover => ({ kind: "takeover", worker: "host:1", after });

export const intended = (
  step: string,
  { effect = "once", digest = "d", ...more }: Partial<Intent> & { effect?: Effect } = {},
): Intent => ({
  kind: "intent",
  step,
  call: "step",
  name: nameIn(step),
  digest,
  effect,
  key: idempotencyKeyOf("r", step),
  ...more,
});

export const observed = (step: string, value: unknown, more: Partial<Observation> = {}): Observation => ({
  kind: "observation",
  step,
  call: "step",
  name: nameIn(step),
  digest: "d",
  ok: true,
  value: encode(value),
  ...more,
});

export const answered = (step: string, value: unknown, more: Partial<Observation> = {}): Observation =>
  observed(step, value, { call: "model", name: "acme/m", ...more });

export const doubted = (step: string): Fact => ({ kind: "doubt", step, why: "the worker died" });

export const refused = (step: string): Fact => ({
  kind: "refusal",
  step,
  name: nameIn(step),
  digest: "d",
  reason: "over the limit",
});

export const resolved = (step: string, happened: boolean, value?: unknown): Fact => ({
  kind: "resolution",
  step,
  happened,
  by: "ana",
  value: value === undefined ? undefined : encode(value),
});

export const resampled = (...steps: readonly string[]): Fact => ({ kind: "note", note: "resampled", steps });

const nameIn = (step: string) => step.replace(/^.*\//, "").replace(/[#:].*$/, "");
