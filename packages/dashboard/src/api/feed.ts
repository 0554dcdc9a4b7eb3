import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { useEvents } from "./stream.ts";

/** However fast entries come, what is shown is asked for anew no more often than this. */
const SETTLE_MS = 600;

/** Keeps everything that is shown right: whatever any run writes, what is on the page is asked for anew. Gives back whether it hears. */
export function useFeed(): boolean {
  const queries = useQueryClient();
  const [hears, setHears] = useState(true);
  const timer = useRef<number>(undefined);
  const refresh = () => {
    timer.current ??= window.setTimeout(() => {
      timer.current = undefined;
      void queries.invalidateQueries({ queryKey: ["live"] });
    }, SETTLE_MS);
  };
  useEffect(() => () => window.clearTimeout(timer.current), []);
  const opened = () => {
    setHears(true);
    refresh();
  };
  useEvents(() => "/v1/tail", { message: refresh, opened, lost: () => setHears(false) }, undefined);
  return hears;
}
