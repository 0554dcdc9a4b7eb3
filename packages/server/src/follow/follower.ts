import { setTimeout as pause } from "node:timers/promises";
import { type Holdfast, HoldfastError } from "@holdfast/core";
import { readCursor, writeCursor } from "../cursor.ts";
import { Feed } from "../feed.ts";
import type { Told } from "../store/feed.ts";
import { beginFollower, moveFollower, takeFollower } from "../store/followers.ts";
import { lazyTables } from "../tables.ts";

/** How often what has been committed is looked for. */
const LOOK_MS = 500;
const FIRST_WAIT_SECONDS = 1;
const LONGEST_WAIT_SECONDS = 3600;

/** Tells entries that were committed to somewhere else. Gives back how many of them it was told, from the first. */
export type Tell = (entries: readonly Told[]) => Promise<{ told: number; error?: unknown }>;

export interface Following {
  /** Tells nothing more. What is being told may end first. */
  stop(): Promise<void>;
}

/**
 * Follows the feed under a name, from now on or from where its place in the database is. Everything is told at least once,
 * in the order of the feed: what could not be told is tried again, at growing distances up to an hour, by whichever server
 * comes to it first, and what comes after waits. Throws what `hf.tables` throws.
 */
export async function follow(hf: Holdfast, name: string, tell: Tell): Promise<Following> {
  const tables = lazyTables(hf);
  const feed = new Feed(hf, tables);
  await beginFollower(await tables(), name, writeCursor(await feed.here()));
  const stopping = new AbortController();

  /** True: there may be more at once. */
  const step = async (): Promise<boolean> =>
    await (await tables()).transaction(async (tx) => {
      const found = await takeFollower(tx, name);
      if (!found) return false;
      for await (const page of feed.since(readCursor(found.place))) {
        const entries = page.told.map(({ entry }) => entry);
        const { told, error } = entries.length === 0 ? { told: 0 } : await tell(entries);
        if (told === entries.length && error === undefined) {
          const to = { place: writeCursor(page.next), failures: 0, waitSeconds: 0, error: undefined };
          await moveFollower(tx, name, to);
          return page.next.upto !== undefined;
        }
        const failures = told > 0 ? 1 : found.failures + 1;
        const waitSeconds = Math.min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** (failures - 1));
        const place = page.told[told - 1]?.id ?? found.place;
        await moveFollower(tx, name, { place, failures, waitSeconds, error: String(error) });
        return false;
      }
      return false;
    });

  const following = (async () => {
    while (!stopping.signal.aborted) {
      const more = await step().catch((error: unknown) => {
        // A database that is away is asked again; a Holdfast that was closed is not.
        if (HoldfastError.is(error, "DATABASE_UNAVAILABLE") && /closed/.test(error.details.why))
          stopping.abort();
        return false;
      });
      if (!more) await pause(LOOK_MS, undefined, { signal: stopping.signal, ref: false }).catch(() => {});
    }
  })();
  return {
    stop: async () => {
      stopping.abort();
      await following;
    },
  };
}
