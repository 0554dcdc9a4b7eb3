import { decode } from "./codec.ts";
import type { Located } from "./course.ts";
import { type Cleared, Deciding, recordedDecision } from "./deciding.ts";
import type { Candidate } from "./decisions.ts";
import { HoldfastError } from "./errors.ts";
import { type Caller, type Found, GoingOut } from "./going-out.ts";
import type { Lane } from "./lane.ts";
import type { Drift, Resolution } from "./ledger/entry.ts";
import { downstreamOf, endOf } from "./ledger/fork.ts";
import { lostAt, type Step } from "./ledger/replay.ts";
import { must } from "./must.ts";
import type { Owner } from "./owner.ts";
import { never, type Wait } from "./parking.ts";
import type { Then } from "./policy/decision.ts";
import { reconcile } from "./reconcile.ts";
import { businessKeyOf, settingsOf } from "./settings.ts";
import type { Begun, Call } from "./step/call.ts";
import { plan } from "./step/plan.ts";
import { usedByAll } from "./store/counts.ts";
import { unreachable } from "./unreachable.ts";

/** The call is on record as having thrown, or was refused: what its caller is to catch. */
export interface Threw {
  readonly at: "threw";
  readonly error: unknown;
}

/** What the calls of a run need of their session. */
export interface CallsOf extends Caller {
  /** Says that a request has drifted, where the run is written. */
  drifted(drift: Drift): void;
  /** These steps are done anew. */
  setAside(steps: readonly string[]): void;
  isSettled(step: string): boolean;
  /** What a call in doubt waits for. */
  doubt(step: string): Wait;
  unlessControlFlow<B extends object>(lane: Lane, begin: () => Promise<B | Threw>): Promise<B>;
}

/** What becomes of each call of a run: which step it is, what the ledger says of it, and so whether it goes out. */
export class Calls {
  readonly #of: CallsOf;
  readonly #goingOut: GoingOut;
  readonly #deciding: Deciding | undefined;
  /** Doubts that a tool is being asked about. */
  readonly #resolving = new Map<string, Promise<boolean>>();
  /** Calls that policy is deciding. */
  readonly #clearing = new Map<string, Promise<Cleared | undefined>>();

  constructor(of: CallsOf) {
    this.#of = of;
    this.#goingOut = new GoingOut(of);
    this.#deciding = of.owner && this.#newDeciding(of.owner);
  }

  async begin<T>(lane: Lane, call: Call<T>): Promise<Begun<T>> {
    return await this.#of.unlessControlFlow(lane, () => this.#plan(this.#find(lane, call)));
  }

  /** What policy says of a call that a model asks for. */
  async foresee(lane: Lane, call: Call<never>): Promise<Then> {
    const emitter = this.#of.course.emitterOf(lane, call);
    if (emitter === undefined) return "allow";
    const decided = await this.#of.unlessControlFlow(lane, async () => {
      const candidate = candidateOf(this.#find(lane, call));
      const foreseen = await this.#deciding?.foresee(candidate, emitter);
      // A run that has finished is only read: nothing is decided that is not on record.
      return { then: foreseen ?? recordedDecision(this.#of.run, candidate.key) ?? "allow" };
    });
    return decided.then;
  }

  #find<T>(lane: Lane, call: Call<T>): Found<T> {
    const settings = call.kind === "tool" ? settingsOf(this.#of.settings.tools, call.name) : {};
    const isFree = call.kind === "model" || call.pure;
    const terms = {
      effect: call.effect ?? settings.effect ?? (isFree ? undefined : "once"),
      timeoutMs: call.timeoutMs ?? settings.timeoutMs,
      retry: call.retry ?? settings.retry,
    };
    const business = businessKeyOf(settings, call);
    const found = this.#of.course.locate(lane, call, business);
    const located = found.drift ? this.#drifted(found, found.drift) : found;
    return { lane, call, located, terms, settings };
  }

  /** A model is asked something else than is on record: the record is used all the same, or the run stops, or it is asked. */
  #drifted(located: Located, differs: readonly string[]): Located {
    const { run, owner, settings, session } = this.#of;
    const { key: step } = located;
    if (session.set) return located; // what a replay begins with was asked before anything was set
    if (run.reruns && owner) return this.#rerun(located, differs);
    if (settings.drift === "fail")
      throw new HoldfastError("DRIFTED", { runId: session.runId, step, differs });
    this.#of.drifted({ kind: "note", note: "drift", step, differs });
    return located;
  }

  /** What may stand on the answer is done anew with it: reads and answers. An effect that may is not. */
  #rerun(located: Located, differs: readonly string[]): Located {
    const { run, course, session } = this.#of;
    const { key: step } = located;
    const from = endOf(must(run.steps.get(step), "the record that was drifted from")) - 1;
    const { aside, effect } = downstreamOf(run, from, (key) => course.hasPassed(key));
    if (effect) {
      throw new HoldfastError("DRIFTED", { runId: session.runId, step, differs, effect: effect.step.key });
    }
    this.#of.setAside(aside);
    course.forget(aside);
    const { digest } = must(located.asked, "what a model is asked");
    return { ...located, digest, drift: undefined };
  }

  /** Does what the plan says, and plans again when what it waited for is settled. */
  async #plan<T>(found: Found<T>): Promise<Begun<T> | Threw> {
    const { lane, call, located, terms } = found;
    const { key, digest } = located;
    const course = this.#of.course;
    const again = () => this.#of.unlessControlFlow(lane, () => this.#plan(found));
    let cleared: Cleared | undefined;
    let asksStandIn = this.#of.settings.standIn !== undefined;
    for (;;) {
      // The same call twice at once (a framework that repeats a tool call) is one call: wait for what comes of it.
      if (this.#of.open.has(key)) {
        await this.#of.open.get(key);
        continue;
      }
      const step = this.#of.run.steps.get(key);
      const planned = plan(step, digest, terms.effect);
      switch (planned.do) {
        case "return": {
          this.#tellReplayed(step);
          const value = (planned.output === undefined ? undefined : decode(planned.output)) as T;
          course.consume(lane, key, call.emits?.(value));
          if (!located.drift) located.asked?.kept(); // with the entry that names its parts
          return { at: "recorded", value };
        }
        case "throw":
          this.#tellReplayed(step);
          course.consume(lane, key);
          return { at: "threw", error: planned.error === undefined ? undefined : decode(planned.error) };
        case "refuse": {
          course.consume(lane, key);
          const { reason } = planned;
          return {
            at: "threw",
            error: new HoldfastError("POLICY_DENIED", { runId: this.#of.session.runId, step: key, reason }),
          };
        }
        case "diverge":
          throw course.diverged(key, planned.why);
        case "resolve":
          await this.#resolve(found);
          continue;
        case "execute":
          if (asksStandIn) {
            asksStandIn = await this.#standIn(found);
            continue;
          }
          if (cleared || !this.#isGoverned(found)) {
            const begun = await this.#goingOut.execute(found, again, cleared);
            if (begun) return begun;
          }
          cleared = await this.#clear(found);
          await this.#of.parking.mayBegin(lane);
          if (this.#of.stopError) return never();
          continue;
        default:
          unreachable(planned);
      }
    }
  }

  #tellReplayed(step: Step | undefined): void {
    const { run, owner, settings } = this.#of;
    if (step) settings.telling?.replayed(run, step, owner?.lease.epoch);
  }

  /** In a replay something answers instead of the world, and what it says is on record. False: the call goes out. */
  async #standIn<T>({ call, located, terms }: Found<T>): Promise<boolean> {
    const { standIn } = this.#of.settings.standIn ?? {};
    if (!standIn) return false;
    const { key, digest, asked } = located;
    const { kind, name } = call;
    if (kind === "model" && this.#of.session.set && !call.heedsSet) {
      const why = `cannot set a model or a prompt: the adapter of ${name} does not heed it; change the code instead`;
      throw new HoldfastError("INVALID_ARGUMENT", { argument: "set", why });
    }
    const done = Promise.withResolvers<void>();
    this.#of.open.set(key, done.promise);
    try {
      const stood = await standIn.answer(located, { kind, name, input: located.input, effect: terms.effect });
      if (!stood) return false;
      const writer = this.#of.writer(key);
      if ("refusal" in stood) {
        const { decision, reason, value } = stood.refusal;
        writer.say({ kind: "refusal", step: key, call: kind, name, digest, reason, decision, value });
        await writer.flush();
        return true;
      }
      writer.keep(asked?.blobs() ?? []);
      const request = asked ? { request: asked.request } : {};
      writer.say({ kind: "observation", step: key, call: kind, name, digest, ...request, ...stood });
      await writer.flush();
      asked?.kept();
      return true;
    } finally {
      this.#of.open.delete(key);
      done.resolve();
      this.#of.parking.announce();
    }
  }

  /** In doubt: the tool may know what became of the call; else a person has to say, and the run waits for that. */
  async #resolve<T>(found: Found<T>): Promise<void> {
    const { key } = found.located;
    // Two calls may be the same step: it is asked about, and doubted, once.
    const under = this.#resolving.get(key) ?? this.#ask(found).finally(() => this.#resolving.delete(key));
    this.#resolving.set(key, under);
    if (!(await under)) await this.#of.parking.wait(found.lane, this.#of.doubt(key));
  }

  /** True where it is settled: by the tool, or by a person who was quicker. */
  async #ask<T>({ located, settings }: Found<T>): Promise<boolean> {
    const { key } = located;
    const writer = this.#of.writer(key);
    const { leaseSeconds, redactor } = this.#of.settings;
    const { means } = must(this.#of.owner, "the owner of a run that is written");
    let resolution: Resolution | undefined;
    for (let asked = false; ; asked = true) {
      const step = this.#of.run.steps.get(key);
      if (step?.at !== "intended" && step?.at !== "doubted") return true;
      const { intent } = step;
      const worker = this.#of.run.takeovers.get(intent.epoch)?.number;
      // Not lost, and in doubt all the same: the call outlived its limit here, and is reckoned from its doubt.
      const since = step.at === "doubted" ? step.doubt.at : intent.at;
      const left = { intent, worker, lost: lostAt(this.#of.run, intent.epoch) ?? since };
      if (!asked) {
        resolution = await reconcile(means.db, settings, left, {
          leaseSeconds,
          redactor,
          signal: this.#of.session.signal,
        });
      }
      if (!resolution && step.at === "doubted") return this.#of.isSettled(key);
      const why = "the call may have gone out, and what came of it was not recorded";
      const fact = resolution ?? ({ kind: "doubt", step: key, why } as const);
      const isOpen = () => this.#of.run.steps.get(key) === step;
      if (await writer.sayWhile(isOpen, fact)) return fact.kind === "resolution";
    }
  }

  #newDeciding({ means }: Owner): Deciding {
    const { session, run, course, settings, parking } = this.#of;
    return new Deciding({
      runId: session.runId,
      run,
      course,
      writer: this.#of.writer("deciding"),
      parking,
      settings,
      signal: session.signal,
      isStopped: () => this.#of.stopError !== undefined,
      usedByAll: (counted, at) => usedByAll(means.db, counted, at),
    });
  }

  #isGoverned<T>(found: Found<T>): boolean {
    return this.#deciding?.governs(candidateOf(found)) ?? false;
  }

  /** Two calls may be the same step: it is decided once. */
  async #clear<T>(found: Found<T>): Promise<Cleared | undefined> {
    const { key, emitter } = found.located;
    const deciding = must(this.#deciding, "deciding, in a run that is written");
    const under =
      this.#clearing.get(key) ??
      deciding.clear(candidateOf(found), found.lane, emitter).finally(() => {
        this.#clearing.delete(key);
        this.#of.parking.announce();
      });
    this.#clearing.set(key, under);
    return await under;
  }
}

const candidateOf = <T>({ call, located, terms }: Found<T>): Candidate => ({
  key: located.key,
  digest: located.digest,
  call: call.kind,
  name: call.name,
  effect: terms.effect ?? "read",
  input: call.input,
  check: call.check,
  schema: call.schema,
  says: call.says,
  hosted: call.hosted,
});
