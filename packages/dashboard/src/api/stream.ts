import { useEffect, useRef, useState, useSyncExternalStore } from "react";

/** A browser gives up where it is answered with an error: by a proxy whose server is away, for instance. So it is asked anew. */
const AGAIN_MS = 3_000;

/**
 * Listens to Server-Sent Events while the page is looked at: a browser has six connections to a server, for all its tabs.
 * `url` is asked for each time it connects anew, so that it can say what is known by then; undefined: nothing to hear.
 */
export function useEvents(
  url: () => string | undefined,
  hear: {
    readonly message: (data: string) => void;
    readonly opened?: () => void;
    readonly lost?: () => void;
    readonly ended?: () => void;
  },
  again: unknown,
): void {
  const visible = useVisible();
  const [refused, setRefused] = useState(0);
  const latest = useRef({ url, hear });
  latest.current = { url, hear };
  // biome-ignore lint/correctness/useExhaustiveDependencies: `again` says when to connect anew
  useEffect(() => {
    const to = visible ? latest.current.url() : undefined;
    if (to === undefined) return undefined;
    const source = new EventSource(to);
    let timer: number | undefined;
    source.onopen = () => latest.current.hear.opened?.();
    source.onmessage = ({ data }: MessageEvent<string>) => latest.current.hear.message(data);
    source.onerror = () => {
      latest.current.hear.lost?.();
      if (source.readyState === EventSource.CLOSED)
        timer = window.setTimeout(() => setRefused((times) => times + 1), AGAIN_MS);
    };
    source.addEventListener("end", () => {
      source.close();
      latest.current.hear.ended?.();
    });
    return () => {
      source.close();
      window.clearTimeout(timer);
    };
  }, [visible, again, refused]);
}

export const useVisible = (): boolean => useSyncExternalStore(onVisibility, () => !document.hidden);

function onVisibility(changed: () => void): () => void {
  document.addEventListener("visibilitychange", changed);
  return () => document.removeEventListener("visibilitychange", changed);
}
