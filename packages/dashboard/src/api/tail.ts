import { useCallback, useEffect, useRef, useState } from "react";
import type { Entry } from "../timeline/entry.ts";
import { useEvents } from "./stream.ts";

interface Tail {
  readonly entries: readonly Entry[];
  /** All that is on record has come. */
  readonly caughtUp: boolean;
}

/**
 * The entries of a run, as they are written. `seq` is how far it is known to be: a run that had ended and goes on again is
 * listened to again.
 */
export function useTail(runId: string, seq: number | undefined): Tail {
  const [entries, setEntries] = useState<readonly Entry[]>([]);
  const [over, setOver] = useState(false);
  const last = useRef(0);
  const arrived = useRef<Entry[]>([]);
  const frame = useRef<number>(undefined);

  // A thousand entries that come at once are drawn once.
  const take = useCallback(() => {
    frame.current = undefined;
    const come = arrived.current;
    arrived.current = [];
    setEntries((known) => [...known, ...come]);
  }, []);

  const message = (data: string) => {
    const entry = JSON.parse(data) as Entry; // the server's schema is that of an entry
    if (entry.seq <= last.current) return;
    last.current = entry.seq;
    arrived.current.push(entry);
    frame.current ??= requestAnimationFrame(take);
  };
  useEffect(() => {
    if (over && seq !== undefined && seq > last.current) setOver(false);
  }, [over, seq]);
  useEffect(() => () => cancelAnimationFrame(frame.current ?? 0), []);

  const url = () => (over ? undefined : `/v1/runs/${encodeURIComponent(runId)}/tail?after=${last.current}`);
  useEvents(url, { message, ended: () => setOver(true) }, over);
  return { entries, caughtUp: entries.length > 0 && entries.length >= (seq ?? 0) };
}
