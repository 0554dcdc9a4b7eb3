import { HoldfastError, type Port } from "@holdfast/core";
import { MemorySaver } from "@langchain/langgraph-checkpoint";
import type { Checkpointer, GraphOptions } from "./graph.ts";
import { shadowOf } from "./shadow.ts";

/**
 * The same checkpointer, which writes nothing more once the run that it is called in has stopped: what LangGraph saves as it
 * winds up is of a run that goes on elsewhere, or will.
 */
export function whileRunning(checkpointer: Checkpointer, signal: AbortSignal): Checkpointer {
  /** Undefined where the run has stopped, or does so now. */
  const write = async <T>(work: () => Promise<T>): Promise<T | undefined> => {
    if (signal.aborted) return undefined;
    try {
      return await work();
    } catch (error) {
      // Of a Holdfast that is being closed its checkpointer hears first, and its runs a little later.
      if (HoldfastError.is(error, "DATABASE_UNAVAILABLE")) await aborted(signal, CLOSING_MS);
      if (!signal.aborted) throw error;
      return undefined;
    }
  };
  return shadowOf(checkpointer, {
    put: async (config: GraphOptions, checkpoint: { readonly id: string }, ...rest: unknown[]) =>
      (await write(() => checkpointer.put(config, checkpoint, ...rest))) ?? {
        configurable: { ...config.configurable, checkpoint_id: checkpoint.id },
      },
    putWrites: async (...args: unknown[]) => {
      await write(() => checkpointer.putWrites(...args));
    },
    getNextVersion: (version: unknown) => nextVersion(checkpointer.getNextVersion(version)),
  });
}

/**
 * In a replay, threads are neither read nor written: a checkpointer in memory stands in for this one, and knows of them
 * what the replay has done so far.
 */
export function standIn({ signal }: Port, checkpointer: Checkpointer): Checkpointer {
  const ofReplay = standIns.get(signal) ?? new WeakMap();
  standIns.set(signal, ofReplay);
  const known = ofReplay.get(checkpointer) ?? (new MemorySaver() as unknown as Checkpointer);
  ofReplay.set(checkpointer, known);
  return known;
}

/** By the signal that a replay has for itself, and by the checkpointer that is stood in for. */
const standIns = new WeakMap<AbortSignal, WeakMap<Checkpointer, Checkpointer>>();

/** As long as a Holdfast that is closed lets calls settle by default, and a little more. */
const CLOSING_MS = 6_000;

function aborted(signal: AbortSignal, withinMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, withinMs);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/**
 * A version that no fork of the thread has. LangGraph's Postgres checkpointer keeps values by channel and version, so that
 * of two forks with one version the second reads the values of the first (langgraphjs#1812).
 */
const nextVersion = (version: unknown): unknown =>
  Number.isInteger(version) ? (version as number) + Math.random() : version;
