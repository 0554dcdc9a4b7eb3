import { encode } from "./codec.ts";
import { type Course, parsed } from "./course.ts";
import { type Candidate, type Decidable, type Decided, Decisions } from "./decisions.ts";
import { digestOf } from "./json.ts";
import { whyNotFits } from "./json-schema.ts";
import type { Lane } from "./lane.ts";
import { type Asked, lastUnused, pendingOf } from "./ledger/asked.ts";
import type { Intent, Question } from "./ledger/entry.ts";
import { businessKey, emittedKey } from "./ledger/key.ts";
import type { Run } from "./ledger/replay.ts";
import { never, type Parking } from "./parking.ts";
import { isBoundTo } from "./policy/binding.ts";
import { type Decision, enforced, type Then } from "./policy/decision.ts";
import type { Counted } from "./policy/evaluate.ts";
import { changeOf, newQuestion, whyRefused } from "./question.ts";
import type { RunWriter } from "./run-writer.ts";
import { businessKeyOf, type RunSettings, settingsOf } from "./settings.ts";
import type { Checked, Governed } from "./step/call.ts";

/** By what a call goes out: its intent says so. */
export interface Cleared {
  readonly decision?: Decision | undefined;
  readonly question?: string | undefined;
  readonly counted?: readonly Counted[] | undefined;
  /** What to call with instead: whoever approved the call changed it. */
  readonly changed?: { readonly input: unknown } | undefined;
}

/** What deciding needs of its session. */
export interface Decider {
  readonly runId: string;
  readonly run: Run;
  readonly course: Course;
  readonly writer: RunWriter;
  readonly parking: Parking;
  readonly settings: RunSettings;
  readonly signal: AbortSignal;
  /** Nothing of the run goes on in this process. */
  isStopped(): boolean;
  usedByAll: Decidable["usedByAll"];
}

/**
 * Policy's place between the model and its tools: each call is decided before its intent, and all calls of one answer
 * before the first of them goes out. A no is recorded, and told. Where a person has to say, the run waits for that, and
 * what is said holds for this one call.
 */
export class Deciding {
  readonly #of: Decider;
  readonly #decisions: Decisions;
  /** By model call: the calls of its answer are being decided, or have been. */
  readonly #turns = new Map<string, Promise<void>>();
  /** Decisions on calls that have not begun, and what they would have been called with. */
  readonly #ahead = new Map<
    string,
    { readonly decided: Decided; readonly shown: string; readonly says: unknown }
  >();

  constructor(of: Decider) {
    this.#of = of;
    const { run, settings, signal } = of;
    const usedByAll: Decidable["usedByAll"] = (counted, at) => of.usedByAll(counted, at);
    const { policy, redactor } = settings;
    this.#decisions = new Decisions({ run, policy, redactor, signal, usedByAll });
  }

  /** Is there anything to decide? */
  governs({ key, call, says, hosted = [] }: Candidate): boolean {
    const { isSet } = this.#of.settings.policy;
    if (call === "model") return isSet && hosted.length > 0;
    const isAsked = this.#pending(key) !== undefined || this.#ownAsked(key) !== undefined;
    return call === "tool" && (isSet || says !== undefined || isAsked);
  }

  /** What the call goes out by. Undefined: it does not, and that is on record. */
  async clear(asking: Candidate, lane: Lane, emitter: string | undefined): Promise<Cleared | undefined> {
    const candidate = this.#asAsked(asking);
    const { key } = candidate;
    const { run, writer, parking } = this.#of;
    const step = run.steps.get(key);
    // A call that goes out again under its key is the same effect, and has been decided.
    if (step && "intent" in step && step.intent) return await this.#asBefore(step.intent, candidate);
    if (emitter !== undefined) await this.#decideTurn(emitter);
    for (;;) {
      if (run.steps.has(key)) return undefined;
      const pending = this.#pending(key);
      if (pending && this.#isBound(pending, candidate)) {
        if (pending.at === "open") {
          await parking.wait(lane, {
            waitingOn: "approval",
            isSettled: () => this.#pending(key)?.at !== "open",
          });
          continue;
        }
        const cleared = await this.#goBy(pending, candidate);
        if (cleared) return cleared;
        continue;
      }
      // Asked, and the arguments or the policy are others by now: what is said to it holds for nothing.
      if (pending?.at === "open") {
        await writer.withdraw(pending.question.question);
        continue;
      }
      const checked = candidate.check ? undefined : await fitting(candidate, candidate.input);
      if (checked?.ok === false) {
        await this.#refuse(candidate, undefined, { reason: `what it is called with ${checked.why}` });
        continue;
      }
      const decided = this.#takeAhead(candidate) ?? (await this.#decisions.decide(candidate));
      const then = enforced(decided.decision);
      if (then === "allow") return decided;
      if (then === "deny") await this.#refuse(candidate, decided.decision);
      else await this.#ask([await this.#question(candidate, decided)]);
    }
  }

  /** What is on record of the call, or will be: all calls of its answer are decided now. */
  async foresee(candidate: Candidate, emitter: string): Promise<Then> {
    const { run, settings } = this.#of;
    const recorded = () => recordedDecision(run, candidate.key);
    if (!recorded() && (settings.policy.isSet || candidate.says)) await this.#decideTurn(emitter);
    if (!recorded() && candidate.says) {
      // All calls of its answer were decided before the framework came to its own approval, or that was another execution.
      const question = await this.#decideAhead(candidate);
      if (question) await this.#ask([question]);
    }
    return recorded() ?? "allow";
  }

  #decideTurn(model: string): Promise<void> {
    const deciding = this.#turns.get(model) ?? this.#decideAll(model);
    this.#turns.set(model, deciding);
    return deciding;
  }

  async #decideAll(model: string): Promise<void> {
    const { course, settings, run } = this.#of;
    const questions: Question[] = [];
    const seen = new Set<string>(); // calls with one business key are one call
    for (const { id, name, input: said, runs = "here", check, schema, says } of course.turnOf(model)) {
      if (runs !== "here") continue;
      const raw = parsed(said);
      const checked = await fitting({ check, schema }, raw);
      if (!checked.ok) continue; // the framework tells the model, and calls nothing
      const { input } = checked;
      const tool = settingsOf(settings.tools, name);
      const business = businessKeyOf(tool, { name, input });
      const key = business === undefined ? emittedKey(model, name, id) : businessKey(name, business);
      if (run.steps.has(key) || this.#pending(key) || seen.has(key)) continue;
      seen.add(key);
      const digest = digestOf(settings.redactor.apply("input", raw));
      const candidate: Candidate = {
        key,
        digest,
        call: "tool",
        name,
        effect: tool.effect ?? "once",
        input,
        schema,
        says,
      };
      const question = await this.#decideAhead(candidate);
      if (question) questions.push(question);
    }
    if (questions.length > 0) await this.#ask(questions);
  }

  /** Asks, unless the run has parked while it was decided: it is asked when the run goes on. */
  async #ask(questions: readonly Question[]): Promise<void> {
    if (this.#of.isStopped()) return await never();
    await this.#of.writer.ask(questions);
  }

  /** Gives back what is to be asked. A no is recorded; a yes is kept until the call begins. */
  async #decideAhead(candidate: Candidate): Promise<Question | undefined> {
    const { key, says } = candidate;
    const decided = await this.#decisions.decide(candidate);
    const then = enforced(decided.decision);
    if (then === "ask") return await this.#question(candidate, decided);
    if (then === "deny") await this.#refuse(candidate, decided.decision);
    else this.#ahead.set(key, { decided, shown: this.#shown(candidate), says });
    return undefined;
  }

  #takeAhead(candidate: Candidate): Decided | undefined {
    const ahead = this.#ahead.get(candidate.key);
    this.#ahead.delete(candidate.key);
    // What the framework's own approval says may have come only with the call.
    const isWhole = ahead?.says !== undefined || candidate.says === undefined;
    return isWhole && ahead?.shown === this.#shown(candidate) ? ahead.decided : undefined;
  }

  /** By an answer that is about this very call. Undefined: it was refused, or is asked anew. */
  async #goBy(asked: Asked, candidate: Candidate): Promise<Cleared | undefined> {
    const { question } = asked;
    const { decision, question: id } = question;
    if (asked.at !== "approved") {
      await this.#refuse(candidate, decision, { question: id, reason: whyRefused(asked) });
      return undefined;
    }
    const change = changeOf(asked);
    if (!change) return { decision, question: id };
    const checked = await fitting(candidate, change.input);
    if (!checked.ok) {
      const text = `${question.text} What ${change.by} changed its arguments to, the tool does not take: ${checked.why}`;
      const { need, of, expiresInSeconds, decision } = question;
      const asked = await this.#asked(candidate);
      await this.#ask([newQuestion({ ...asked, text, decision, need, of, expiresInSeconds })]);
      return undefined;
    }
    // Whoever approved it said yes to these arguments. A no of policy to them stands all the same.
    const again = await this.#decisions.decide({ ...candidate, input: checked.input, says: undefined });
    if (enforced(again.decision) === "deny") {
      await this.#refuse(candidate, again.decision);
      return undefined;
    }
    return { decision, question: id, changed: { input: checked.input } };
  }

  async #asBefore({ decision, question }: Intent, candidate: Candidate): Promise<Cleared> {
    const asked = question === undefined ? undefined : this.#of.run.questions.get(question);
    const change = asked && changeOf(asked);
    if (!change) return { decision, question };
    const checked = await fitting(candidate, change.input);
    if (checked.ok) return { decision, question, changed: { input: checked.input } };
    const why = `${change.by} changed its arguments, and the tool does not take them any more: ${checked.why}`;
    throw this.#of.course.diverged(candidate.key, why);
  }

  async #refuse(
    candidate: Candidate,
    decision: Decision | undefined,
    { question, reason }: { question?: string; reason?: string } = {},
  ): Promise<void> {
    const { key, call, name, digest } = candidate;
    this.#of.writer.say({
      kind: "refusal",
      step: key,
      call,
      name,
      digest,
      reason: reason ?? decision?.reason ?? `the rule ${decision?.rule} says so`,
      decision,
      question,
      value: encode(this.#kept(candidate)),
    });
    await this.#of.writer.flush();
  }

  async #question(candidate: Candidate, { decision, ruling }: Decided): Promise<Question> {
    const what = candidate.hosted
      ? `May the provider of ${candidate.name} run ${candidate.hosted.join(", ")}?`
      : `May ${candidate.name} be called?`;
    const text = decision.reason === undefined ? what : `${what} ${decision.reason}`;
    const { need, of, expiresIn } = ruling;
    return newQuestion({ ...(await this.#asked(candidate)), text, decision, need, of, expiresIn });
  }

  async #asked(candidate: Candidate) {
    const { key: step, call, name, digest } = candidate;
    const value = encode(this.#kept(candidate));
    const schema = await candidate.schema?.();
    return {
      asks: "approval",
      step,
      call,
      name,
      digest,
      shown: this.#shown(candidate),
      schema,
      value,
    } as const;
  }

  #isBound({ question }: Asked, candidate: Candidate): boolean {
    const { key: step, digest } = candidate;
    const policy = this.#of.settings.policy.version;
    return isBoundTo(question, {
      runId: this.#of.runId,
      step,
      digest,
      shown: this.#shown(candidate),
      policy,
    });
  }

  /** The question that the framework's own approval has led to, if its answer has let nothing out yet. */
  #ownAsked(step: string): Question | undefined {
    const question = lastUnused(this.#of.run.questions, step)?.question;
    return question?.decision?.own ? question : undefined;
  }

  /** What the framework has asked about once it need not ask again, and it may not know that it has: the question stands for it. */
  #asAsked(candidate: Candidate): Candidate {
    const question = this.#ownAsked(candidate.key);
    if (!question?.decision || candidate.says) return candidate;
    const { rule, reason } = question.decision;
    return { ...candidate, says: () => ({ then: "ask", rule, reason }), schema: () => question.schema };
  }

  #pending(step: string): Asked | undefined {
    return pendingOf(this.#of.run.questions, step);
  }

  /** What is recorded of the arguments, and shown. */
  #kept({ input, hosted }: Candidate): unknown {
    return hosted ?? this.#of.settings.redactor.apply("input", input);
  }

  #shown(candidate: Candidate): string {
    return digestOf(this.#kept(candidate));
  }
}

/** What was decided of a call, as far as it is on record. */
export function recordedDecision(run: Run, key: string): Then | undefined {
  const step = run.steps.get(key);
  if (step?.at === "refused") return "deny";
  if (step && "intent" in step && step.intent) return step.intent.question === undefined ? "allow" : "ask";
  return pendingOf(run.questions, key) && "ask";
}

/** Arguments as the tool takes them: by its own check, else by its JSON Schema. One that cannot be read takes anything. */
async function fitting({ check, schema }: Governed, input: unknown): Promise<Checked> {
  if (check) return await check(input);
  const why = whyNotFits(await schema?.(), input);
  return why === undefined ? { ok: true, input } : { ok: false, why };
}
