import { type Holdfast, HoldfastError, type LedgerEntry } from "@holdfast/core";
import { settleOrders } from "./agent.ts";
import { CountingWorld } from "./world.ts";

export type Settled = Awaited<ReturnType<typeof settleOrders>>;

/** Runs until the run ends. Doubts are decided by a look at the world, as an operator would. Throws what stops the run. */
export async function finish(hf: Holdfast, runId: string, world: CountingWorld): Promise<Settled> {
  for (;;) {
    try {
      return await hf.run(runId, () => settleOrders(world), { onLeased: "wait" });
    } catch (error) {
      if (!HoldfastError.is(error, "RUN_WAITING")) throw error;
      const doubts = await hf.doubts.list({ runId });
      if (doubts.length === 0) throw error;
      for (const { step, key } of doubts) {
        const happened = world.outcomeOf(key);
        await hf.doubts.resolve(runId, step, happened === undefined ? { didNotHappen: true } : { happened }, {
          by: "operator",
        });
      }
    }
  }
}

/** An undisturbed run and its world: what every other one has to come to. */
export async function undisturbed(
  hf: Holdfast,
  runId: string,
): Promise<{ value: Settled; world: CountingWorld }> {
  const world = new CountingWorld();
  return { value: await finish(hf, runId, world), world };
}

/** The entries of a run that may not have come to be. */
export async function entriesOf(hf: Holdfast, runId: string): Promise<LedgerEntry[]> {
  try {
    return await hf.entries(runId);
  } catch (error) {
    if (HoldfastError.is(error, "RUN_NOT_FOUND")) return [];
    throw error;
  }
}

/** Which of the models' answers are on record. */
export function answersIn(entries: readonly LedgerEntry[]): string[] {
  return entries.flatMap((entry) => {
    if (entry.kind !== "observation" || entry.call !== "model") return [];
    const turn = /#(\d+)$/.exec(entry.step)?.[1];
    return [`${entry.name.split("/")[1]}/${turn}`];
  });
}

/** What is wrong with a run that died once and was finished by another: nothing, one hopes. */
export function differences(
  died: {
    readonly value: Settled;
    readonly world: CountingWorld;
    /** The ledger as it was at the time of death, and at the end. */
    readonly left: readonly LedgerEntry[];
    readonly entries: readonly LedgerEntry[];
    /** How many answers had been paid for at the time of death. */
    readonly paidBefore: number;
  },
  lived: { readonly value: Settled; readonly world: CountingWorld },
): string[] {
  const found: string[] = [];
  const expect = (what: string, is: unknown, should: unknown) => {
    const [one, other] = [JSON.stringify(is), JSON.stringify(should)];
    if (one !== other) found.push(`${what}: ${one} instead of ${other}`);
  };
  expect("the value", died.value, lived.value);
  // Keys too: an effect that was done under two keys is listed twice.
  expect("the effects", died.world.done, lived.world.done);

  // A model's answer that was on record at the time of death is never paid again. One that was not, is paid once more:
  // that is one answer that was cut off, or two where the next question to a model needs nothing of it to be durable.
  const recorded = new Set(answersIn(died.left));
  const again = died.world.paid.slice(died.paidBefore);
  expect(
    "recorded answers paid again",
    again.filter((answer) => recorded.has(answer)),
    [],
  );
  for (const answer of new Set(died.world.paid)) {
    const times = died.world.paid.filter((other) => other === answer).length;
    const most = died.world.paid.slice(0, died.paidBefore).includes(answer) && !recorded.has(answer) ? 2 : 1;
    if (times > most) found.push(`${answer} was paid ${times} times`);
  }
  expect("the answers", [...new Set(died.world.paid)].sort(), [...lived.world.paid].sort());
  if (died.world.reads > 2 * lived.world.reads) found.push(`${died.world.reads} reads`);

  const seqs = died.entries.map(({ seq }) => seq);
  expect(
    "the seqs",
    seqs,
    seqs.map((_, i) => i + 1),
  );
  const epochs = died.entries.map(({ epoch }) => epoch);
  expect(
    "the epochs",
    epochs,
    [...epochs].sort((a, b) => a - b),
  );
  expect("the entries left by the dead", died.entries.slice(0, died.left.length), died.left);
  expect("outcomes", died.entries.filter(({ kind }) => kind === "outcome").length, 1);
  const dones = died.entries.flatMap((entry) =>
    entry.kind === "observation" && "step" in entry ? [entry.step] : [],
  );
  expect(
    "steps observed twice",
    dones.filter((step, i) => dones.indexOf(step) !== i),
    [],
  );
  return found;
}
