import { encode } from "./codec.ts";
import { HoldfastError } from "./errors.ts";
import { digestOf } from "./json.ts";
import type { Emitted, Lane } from "./lane.ts";
import type { KeptRequest, Refusal } from "./ledger/entry.ts";
import {
  businessKey,
  emittedKey,
  laneName,
  lanePath,
  MODEL,
  parseKey,
  placeKey,
  rowName,
} from "./ledger/key.ts";
import { lanesOf, placesOf, type Run, type Step } from "./ledger/replay.ts";
import { must } from "./must.ts";
import type { Redactor } from "./redact.ts";
import type { Asked } from "./request.ts";
import type { Call, EmittedCall } from "./step/call.ts";
import { matchLane, matchPlace } from "./step/match.ts";

/** A call that is found: which step it is. */
export interface Located {
  readonly key: string;
  readonly digest: string;
  /** What is asked, as the model wrote it where one did. */
  readonly input: unknown;
  /** What a model is asked, as it is kept. */
  readonly asked: Asked | undefined;
  /** The fields in which a model request differs from the one on record, which is used all the same. */
  readonly drift: readonly string[] | undefined;
  /** The tool named it by a business key. */
  readonly business?: true;
  /** The model call whose answer asked for it. */
  readonly emitter?: string | undefined;
  /** Where it stands in a row; undefined for a call that its emitter names. */
  readonly row: Placed | undefined;
}

export interface Placed {
  readonly taken: Set<number>;
  readonly open: Set<{ parallel: boolean }>;
  readonly n: number;
}

/**
 * How far this execution has come along its ledger: which lanes and calls it has recognised, what the models that it
 * replayed asked for, and which intents it has not come to yet. No I/O: it throws DIVERGED, and the session acts on it.
 */
export class Course {
  readonly #run: Run;
  readonly #runId: string;
  readonly #redactor: Redactor;
  readonly #emitted = new Map<string, Emitted[]>();
  /** What the answers on record asked for: an execution that does not begin at the beginning never comes to them. */
  readonly #asked = new Map<string, Emitted[]>();
  /** The tool calls that a model's answer asked for, by the model call. */
  readonly #turns = new Map<string, readonly EmittedCall[]>();
  readonly #consumed = new Set<string>();
  /** Recorded intents by lane and name, without those that this execution has come to. */
  readonly #unconsumed = new Map<string, Set<string>>();

  constructor(runId: string, run: Run, redactor: Redactor) {
    this.#redactor = redactor;
    this.#runId = runId;
    this.#run = run;
    for (const step of run.steps.values()) {
      if ("intent" in step && step.intent) this.#await(step);
      if (step.at !== "observed") continue;
      for (const asked of step.observation.asks ?? []) put(this.#asked, step.key, asked);
    }
  }

  /** A lane is gone through again from its beginning: what it intended is yet to come. */
  restart(path: string): void {
    for (const step of this.#run.steps.values()) {
      if (!step.key.startsWith(`${path}/`)) continue;
      this.#consumed.delete(step.key);
      if ("intent" in step && step.intent) this.#await(step);
    }
  }

  /**
   * Which step is this call? Its lane is bound to a recorded one by its first call; then the call takes its place, unless
   * its emitter or a business key names it.
   */
  locate(lane: Lane, call: Call<never>, business?: string): Located {
    const emitted = this.#askedBy(lane, call);
    // What is to be kept from the ledger is taken out before anything is hashed.
    const written = call.verbatim ? undefined : emitted?.call.input;
    const raw = written === undefined ? call.input : parsed(written);
    const isModel = call.kind === "model";
    const input = isModel ? undefined : this.#redactor.apply("input", raw);
    const asked = isModel
      ? lane.requests.ask(this.#redactor.apply("request", call.input), call.name)
      : undefined;
    const digest = asked?.digest ?? digestOf(input);
    const path = this.#bind(lane, digest);
    if (business !== undefined) {
      const key = businessKey(call.name, business);
      const emitter = emitted?.model;
      return { key, digest, input, asked, drift: undefined, row: undefined, business: true, emitter };
    }
    if (emitted) {
      const key = emittedKey(emitted.model, call.name, emitted.call.id);
      return { key, digest, input, asked, drift: undefined, row: undefined, emitter: emitted.model };
    }

    const name = call.kind === "model" ? MODEL : rowName(call.name);
    const { taken, open } = lane.row(name);
    const match = matchPlace({ recorded: placesOf(this.#run, path, name), taken, open: open.size }, digest);
    if (match.at === "unclear") {
      const why = "calls that ran side by side ask something else than is on record";
      throw this.diverged(placeKey(path, name, 0), why);
    }
    const key = placeKey(path, name, match.n);
    if (match.at === "drift" && call.kind !== "model")
      throw this.diverged(key, "on record are other arguments");
    taken.add(match.n);
    const row = { taken, open, n: match.n };
    if (match.at !== "drift") return { key, digest, input, asked, drift: undefined, row };
    const was = must(this.#run.steps.get(key), "the record that was drifted from");
    return { key, digest: was.digest, input, asked, drift: this.#differs(key, asked?.request), row };
  }

  /** The step is used: it cannot be meant again. `emitted` are the tool calls that a model's answer asks for. */
  consume(lane: Lane, key: string, emitted: readonly EmittedCall[] = []): void {
    this.#consumed.add(key);
    const step = this.#run.steps.get(key);
    if (step) this.#unconsumed.get(`${parseKey(key).lane}/${step.name}`)?.delete(key);
    if (emitted.length > 0) this.#turns.set(key, emitted);
    for (const call of emitted) {
      put(lane.emitted, key, call);
      put(this.#emitted, key, call);
    }
  }

  /** These steps were set aside: they are not to come any more. */
  forget(steps: readonly string[]): void {
    for (const keys of this.#unconsumed.values()) for (const key of steps) keys.delete(key);
  }

  /** Has this execution come past the step? What happened in the body of a call is past with the call. */
  hasPassed(step: string): boolean {
    for (let at = step.length; at > 0; at = step.lastIndexOf("/", at - 1)) {
      const path = step.slice(0, at);
      const isIn = path === step || parseKey(path).place?.name !== MODEL;
      if (isIn && this.#consumed.has(path)) return true;
    }
    return false;
  }

  /**
   * An effect never goes live while its lane holds an intent of the same tool that this execution has not come to: the
   * one might be the other, asked for in other words. An intent whose model call was replayed is still to come.
   */
  refuseBesideUnconsumed(lane: Lane, name: string, { key, business }: Located): void {
    if (business) return; // says itself which effect it is
    const row = `${must(lane.path, "the path of a bound lane")}/${name}`;
    for (const other of this.#unconsumed.get(row) ?? []) {
      const { emitter } = parseKey(other);
      if (other === key || (emitter !== undefined && this.#consumed.has(emitter))) continue;
      throw this.diverged(
        key,
        `${name} was intended before as ${other}, which this execution has not come to`,
      );
    }
  }

  /** The model call whose answer asked for this tool call. */
  emitterOf(lane: Lane, call: Call<never>): string | undefined {
    return this.#askedBy(lane, call)?.model;
  }

  /** The tool calls that a model's answer asked for, in its order. */
  turnOf(model: string): readonly EmittedCall[] {
    return this.#turns.get(model) ?? [];
  }

  /** Calls of tools that there are none of: a model made them up. The framework tells it so; the ledger says so, too. */
  inventedIn(model: string): Refusal[] {
    const invented = this.turnOf(model).filter(({ runs }) => runs === "nowhere");
    const refusals = invented.map(({ id, name, input }): Refusal => {
      const kept = this.#redactor.apply("input", parsed(input));
      const reason = `there is no tool ${name}: the model made it up`;
      const step = emittedKey(model, name, id);
      return {
        kind: "refusal",
        step,
        call: "tool",
        name,
        digest: digestOf(kept),
        reason,
        value: encode(kept),
      };
    });
    return [...new Map(refusals.map((refusal) => [refusal.step, refusal])).values()];
  }

  diverged(step: string, why: string): HoldfastError<"DIVERGED"> {
    return new HoldfastError("DIVERGED", { runId: this.#runId, step, why });
  }

  #bind(lane: Lane, digest: string): string {
    if (lane.path !== undefined) return lane.path;
    const parent = must(lane.parent, "the parent of a lane without a path");
    const above = this.#bind(parent, digest);
    const { taken, open } = parent.row(`${lane.name}/`);
    const others = [...open].filter((sibling) => sibling !== lane) as Lane[];
    const recorded = lanesOf(this.#run, above, laneName(lane.name));
    const match = matchLane({ recorded, taken, open: others.length }, digest);
    // One that is open was taken for a recorded one by its order: with a second beside it, that was a guess.
    if (match.at === "unclear" || others.some(({ byOrder }) => byOrder)) {
      const why = `${lane.name} runs several times side by side, and none on record began by asking this`;
      throw this.diverged(lanePath(above, lane.name, 0), why);
    }
    lane.byOrder = match.at === "drift";
    taken.add(match.n);
    lane.path = lanePath(above, lane.name, match.n);
    return lane.path;
  }

  #await({ key, name }: Step): void {
    const row = `${parseKey(key).lane}/${name}`;
    const keys = this.#unconsumed.get(row);
    if (keys) keys.add(key);
    else this.#unconsumed.set(row, new Set([key]));
  }

  /**
   * The model's answer that asked for this tool call: the one that the call names; else the last one in its lane, in this
   * execution, or on record.
   */
  #askedBy(lane: Lane, call: Call<never>): Emitted | undefined {
    if (call.kind !== "tool" || call.id === undefined) return undefined;
    const id = idOf({ name: call.name, id: call.id });
    const known = [lane.emitted, this.#emitted, this.#asked].map((asked) => asked.get(id) ?? []);
    const named = known.flat().find((one) => call.answer !== undefined && one.call.answer === call.answer);
    if (named) return named;
    const all = known.find((list) => list.length > 0) ?? [];
    const latest = all.filter((one) => one.model === all.at(-1)?.model);
    if (latest.length < 2) return latest[0];
    // One answer uses an id twice. With other arguments that is two calls on one step: DIVERGED, once both are seen.
    const digest = digestOf(call.input);
    return latest.find((one) => digestOf(parsed(one.call.input)) === digest) ?? latest[0];
  }

  #differs(key: string, request: KeptRequest = {}): string[] {
    const step = this.#run.steps.get(key);
    const was = (step?.at === "observed" ? step.observation.request : undefined) ?? {};
    const names = new Set([...Object.keys(was), ...Object.keys(request)]);
    return [...names].filter((name) => JSON.stringify(was[name]) !== JSON.stringify(request[name]));
  }
}

function put(known: Map<string, Emitted[]>, model: string, call: Emitted["call"]): void {
  const list = known.get(idOf(call));
  if (list) list.push({ model, call });
  else known.set(idOf(call), [{ model, call }]);
}

const idOf = ({ name, id }: { name: string; id: string }) => JSON.stringify([name, id]);

/** Arguments as the model wrote them: a JSON string says what it parses to, anything else says itself. */
export function parsed(input: unknown): unknown {
  if (typeof input !== "string") return input;
  try {
    return JSON.parse(input);
  } catch {
    return input;
  }
}
