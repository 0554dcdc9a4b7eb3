import { useEffect, useRef, useSyncExternalStore } from "react";

/**
 * Listens to Server-Sent Events while the page is looked at: a browser has six connections to a server, for all its tabs.
 * `url` is asked for each time it connects anew, so that it can say what is known by then; undefined: nothing to hear.
 */
export function useEvents(
  url: () => string | undefined,
  hear: {
    readonly message: (data: string) => void;
    readonly opened?: () => void;
    readonly ended?: () => void;
  },
  again: unknown,
): void {
  const visible = useVisible();
  const latest = useRef({ url, hear });
  latest.current = { url, hear };
  // biome-ignore lint/correctness/useExhaustiveDependencies: `again` says when to connect anew
  useEffect(() => {
    const to = visible ? latest.current.url() : undefined;
    if (to === undefined) return undefined;
    const source = new EventSource(to);
    source.onopen = () => latest.current.hear.opened?.();
    source.onmessage = ({ data }: MessageEvent<string>) => latest.current.hear.message(data);
    source.addEventListener("end", () => {
      source.close();
      latest.current.hear.ended?.();
    });
    return () => source.close();
  }, [visible, again]);
}

export const useVisible = (): boolean => useSyncExternalStore(onVisibility, () => !document.hidden);

function onVisibility(changed: () => void): () => void {
  document.addEventListener("visibilitychange", changed);
  return () => document.removeEventListener("visibilitychange", changed);
}
