import { partsOf, type Ref } from "./parts.ts";
import type { Thread } from "./rows.ts";

/** A checkpoint that is stored: at which versions its channels have which values. */
export interface State {
  readonly versions: Readonly<Record<string, unknown>>;
  readonly values: Readonly<Record<string, Ref>>;
}

interface SeenThread extends Thread {
  /** By namespace and id, the last one last. */
  readonly states: Map<string, State>;
}

const MOST_THREADS = 500;
const MOST_STATES = 8;

/**
 * What this process has seen of threads, and takes for stored because of it: the next checkpoint need not send that
 * again. Belief is checked by the statement that relies on it: it names the thread's number and its sweeps.
 */
export class Seen {
  readonly #threads = new Map<string, SeenThread>();

  /** Seen in an answer of the database, or in one that said that it was written. */
  see(threadId: string, { thread, sweeps }: Thread, place?: { ns: string; id: string }, state?: State): void {
    const before = this.#threads.get(threadId);
    const isSame = before?.thread === thread && before.sweeps === sweeps;
    const states = isSame ? before.states : new Map<string, State>();
    if (place && state) putLast(states, keyOf(place), state, MOST_STATES);
    putLast(this.#threads, threadId, { thread, sweeps, states }, MOST_THREADS);
  }

  forget(threadId: string): void {
    this.#threads.delete(threadId);
  }

  thread(threadId: string): Thread | undefined {
    return this.#threads.get(threadId);
  }

  state(threadId: string, place: { ns: string; id: string }): State | undefined {
    return this.#threads.get(threadId)?.states.get(keyOf(place));
  }

  /** The parts that are stored, with all that is inside them. */
  parts(threadId: string): Set<string> {
    const states = this.#threads.get(threadId)?.states.values() ?? [];
    return new Set([...states].flatMap(({ values }) => Object.values(values).flatMap(partsOf)));
  }
}

function putLast<T>(map: Map<string, T>, key: string, value: T, most: number): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > most) map.delete(map.keys().next().value as string);
}

const keyOf = ({ ns, id }: { ns: string; id: string }) => `${ns}\0${id}`;
