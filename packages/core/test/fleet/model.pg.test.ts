import fc from "fast-check";
import { expect, test } from "vitest";
import { must } from "../../src/must.ts";
import { writeCommand } from "../../src/store/commands.ts";
import { redriveRun } from "../../src/store/dead-letters.ts";
import { noticeDead, park } from "../../src/store/lease.ts";
import { append, type Lease, readEntries } from "../../src/store/ledger.ts";
import { claim, queue, wakeDue } from "../../src/store/queue.ts";
import { getHead } from "../../src/store/runs.ts";
import { observed } from "../../src/testing/given.ts";
import { aWorker, expire, newId, useStore, type Worker } from "../store.ts";

/*
 * One run of the fleet, and all that may happen to it in any order, against a small reference: what its head must say, how
 * many entries it must have, and who may write.
 */

const store = useStore();
const MOST_CRASHES = 3;

/** The reference. */
interface Model {
  status: "none" | "queued" | "running" | "waiting" | "succeeded" | "cancelled" | "dead";
  epoch: number;
  entries: number;
  crashes: number;
  /** The owner's epoch has an observation. */
  progressed: boolean;
  paused: boolean;
  cancelling: boolean;
}

/** The run itself, and everybody who ever owned it. */
class Real {
  readonly agent = `model-${newId()}`;
  readonly runId = newId();
  readonly owners: { worker: Worker; lease: Lease; appends: number }[] = [];

  get owner() {
    return must(this.owners.at(-1), "an owner");
  }

  async head() {
    return await getHead(store.db, this.runId);
  }
}

const blank = (): Model => ({
  status: "none",
  epoch: 0,
  entries: 0,
  crashes: 0,
  progressed: false,
  paused: false,
  cancelling: false,
});

/** A command of fast-check: when it may happen, and what it does to both. */
class Happening implements fc.AsyncCommand<Model, Real> {
  readonly #name: string;
  readonly #may: (model: Readonly<Model>) => boolean;
  readonly #happen: (model: Model, real: Real) => Promise<void>;

  constructor(
    name: string,
    may: (model: Readonly<Model>) => boolean,
    happen: (model: Model, real: Real) => Promise<void>,
  ) {
    this.#name = name;
    this.#may = may;
    this.#happen = happen;
  }

  check(model: Readonly<Model>): boolean {
    return this.#may(model);
  }

  async run(model: Model, real: Real): Promise<void> {
    await this.#happen(model, real);
    await agree(model, real);
  }

  toString(): string {
    return this.#name;
  }
}

/** The head says what the reference says, and the ledger has no gap and no epoch that was over. */
async function agree(model: Model, real: Real): Promise<void> {
  const head = must(await real.head(), "the head");
  expect({ status: head.status, epoch: head.epoch, seq: head.seq }).toEqual({
    status: model.status,
    epoch: model.epoch,
    seq: model.entries,
  });
  expect(head.command).toBe(model.cancelling ? "cancel" : model.paused ? "pause" : null);
  const entries = await readEntries(store.db, head);
  expect(entries.map(({ seq }) => seq)).toEqual(entries.map((_, i) => i + 1));
  for (const [i, { epoch }] of entries.entries())
    expect(epoch).toBeGreaterThanOrEqual(entries[i - 1]?.epoch ?? 0);
}

const isOpen = ({ status }: Readonly<Model>) =>
  status === "queued" || status === "running" || status === "waiting";
let steps = 0;

const start = new Happening(
  "start",
  ({ status }) => status === "none",
  async (model, { runId, agent }) => {
    const queued = {
      runId,
      start: { kind: "start", agent, inline: false } as const,
      inputDigest: "d",
      pinnedTo: "",
      priority: 0,
      runAt: undefined,
      waits: false,
      mostCrashes: MOST_CRASHES,
      queueLimit: undefined,
    };
    await queue(store.db, queued);
    await queue(store.db, queued); // somebody else starts it as well
    Object.assign(model, { status: "queued", entries: 1 });
  },
);

const claimIt = new Happening(
  "claim",
  ({ status }) => status !== "none",
  async (model, real) => {
    const worker = await aWorker(store);
    const line = { agent: real.agent, version: undefined, isNewest: true, cap: undefined };
    const [claimed] = await claim(store.db, worker, [line], 5);
    expect(claimed !== undefined).toBe(model.status === "queued" && !model.paused);
    if (!claimed) return;
    real.owners.push({ worker, lease: claimed.lease, appends: 0 });
    Object.assign(model, {
      status: "running",
      epoch: model.epoch + 1,
      entries: model.entries + 1,
    });
  },
);

const step = new Happening(
  "step",
  ({ status }) => status === "running",
  async (model, real) => {
    const { owner } = real;
    owner.appends++;
    const facts = [observed(`step#${++steps}`, 1)];
    expect(await append(store.db, [{ lease: owner.lease, number: owner.appends, facts }])).not.toEqual([
      undefined,
    ]);
    model.entries++;
    model.progressed = true;
  },
);

const zombie = new Happening(
  "zombie write",
  () => true,
  async (model, real) => {
    const lost = real.owners.filter(({ lease }) => model.status !== "running" || lease.epoch !== model.epoch);
    for (const { lease, appends } of lost) {
      if (lease.epoch === model.epoch) continue; // parked by itself: what it says late still counts
      const facts = [observed("late#0", 1)];
      expect(await append(store.db, [{ lease, number: appends + 1, facts }])).toEqual([undefined]);
    }
  },
);

const crash = new Happening(
  "crash and expire",
  ({ status }) => status === "running",
  async (model, real) => {
    await expire(store, real.owner.worker);
    await noticeDead(store.db, "witness:1");
    model.crashes = model.progressed ? 1 : model.crashes + 1;
    model.progressed = false;
    model.epoch++;
    const isDead = model.crashes >= MOST_CRASHES;
    model.status = model.cancelling ? "cancelled" : isDead ? "dead" : "queued";
    model.entries += model.status === "queued" ? 1 : 2;
  },
);

const noticeNobody = new Happening(
  "look for the dead",
  () => true,
  async () => {
    await noticeDead(store.db, "witness:1");
  },
);

const parkIt = (waitingOn: "timer" | "approval") =>
  new Happening(
    `park on ${waitingOn}`,
    ({ status }) => status === "running",
    async (model, real) => {
      const { owner } = real;
      owner.appends++;
      const leaving = { waitingOn, wakeInMs: waitingOn === "timer" ? 3_600_000 : undefined };
      expect(
        await park(store.db, { lease: owner.lease, number: owner.appends }, model.entries, leaving),
      ).toBe(true);
      // A run that was cancelled waits for nothing: whoever gets it next finds the command in its ledger.
      model.status = model.cancelling ? "queued" : "waiting";
      model.cancelling = false;
      model.entries++;
    },
  );

const wake = new Happening(
  "its time comes",
  ({ status }) => status === "waiting",
  async (model, real) => {
    await store.sql("update holdfast.runs set run_at = now() where run_id = $1", [real.runId]);
    await wakeDue(store.db);
    model.status = "queued";
  },
);

const answer = new Happening(
  "an answer",
  ({ status }) => status === "waiting",
  async (model, real) => {
    const head = must(await real.head(), "the head");
    const fact = { kind: "command", command: "send", by: "ana" } as const;
    expect(await writeCommand(store.db, head, head, { fact, command: head.command, wakes: true })).toBe(true);
    Object.assign(model, { status: "queued", epoch: model.epoch + 1, entries: model.entries + 1 });
  },
);

const pause = new Happening(
  "pause",
  (model) => isOpen(model) && !model.cancelling && !model.paused,
  async (model, real) => {
    const head = must(await real.head(), "the head");
    const fact = { kind: "command", command: "pause", by: "ana" } as const;
    expect(await writeCommand(store.db, head, head, { fact, command: "pause", wakes: false })).toBe(true);
    model.entries++;
    if (model.status !== "running" && model.epoch > 0) model.epoch++;
    model.paused = true;
  },
);

const resume = new Happening(
  "resume",
  (model) => isOpen(model) && model.paused,
  async (model, real) => {
    const head = must(await real.head(), "the head");
    const fact = { kind: "command", command: "resume", by: "ana" } as const;
    expect(await writeCommand(store.db, head, head, { fact, command: null, wakes: false })).toBe(true);
    model.entries++;
    if (model.status !== "running" && model.epoch > 0) model.epoch++;
    model.paused = false;
  },
);

const cancel = new Happening(
  "cancel",
  (model) => isOpen(model) && !model.cancelling,
  async (model, real) => {
    const head = must(await real.head(), "the head");
    const fact = { kind: "command", command: "cancel", by: "ana" } as const;
    const ends = model.status === "running" ? undefined : "cancelled";
    expect(await writeCommand(store.db, head, head, { fact, command: "cancel", wakes: false, ends })).toBe(
      true,
    );
    Object.assign(model, { cancelling: true, paused: false });
    model.entries += ends ? 2 : 1;
    if (!ends) return;
    model.status = "cancelled";
    if (model.epoch > 0) model.epoch++;
  },
);

const succeed = new Happening(
  "succeed",
  ({ status }) => status === "running",
  async (model, real) => {
    const { owner } = real;
    owner.appends++;
    const facts = [{ kind: "outcome", status: "succeeded", kept: true } as const];
    const ending = { lease: owner.lease, number: owner.appends, facts, ends: "succeeded" as const };
    expect(await append(store.db, [ending])).not.toEqual([undefined]);
    Object.assign(model, { status: "succeeded", paused: false, cancelling: false });
    model.entries++;
  },
);

const redrive = new Happening(
  "redrive",
  ({ status }) => status !== "none",
  async (model, real) => {
    const head = must(await real.head(), "the head");
    const fact = { kind: "command", command: "redrive", by: "ana" } as const;
    expect(await redriveRun(store.db, head, fact, "d")).toBe(model.status === "dead");
    if (model.status !== "dead") return;
    Object.assign(model, {
      status: "queued",
      epoch: model.epoch + 1,
      entries: model.entries + 1,
      crashes: 0,
    });
    Object.assign(model, { paused: false, cancelling: false });
  },
);

const happenings = [
  start,
  claimIt,
  claimIt, // oftener than the rest: without an owner little happens
  claimIt,
  claimIt,
  crash,
  crash,
  step,
  zombie,
  crash,
  noticeNobody,
  parkIt("timer"),
  parkIt("approval"),
  wake,
  answer,
  pause,
  resume,
  cancel,
  succeed,
  redrive,
];

test("whatever happens to a run, in whatever order, its head and its ledger are what a small reference says", async () => {
  const orders = fc.commands(
    happenings.map((each) => fc.constant(each)),
    { size: "+1", maxCommands: 60 },
  );
  const held = fc.assert(
    fc.asyncProperty(orders, async (commands) => {
      const setup = () => ({ model: blank(), real: new Real() });
      await fc.asyncModelRun(setup, [start, ...commands]);
    }),
    { numRuns: 60 },
  );
  await expect(held).resolves.toBeUndefined();
}, 120_000);
