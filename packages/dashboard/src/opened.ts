import { useSearchParams } from "react-router";

/** The row that is open: `?at=` and its seq, 0 where none is. */
export function useOpened(): [number, (seq: number) => void] {
  const [search, setSearch] = useSearchParams();
  const at = Number(search.get("at") ?? 0);
  const toggle = (seq: number) =>
    setSearch(
      (before) => {
        const next = new URLSearchParams(before);
        if (at === seq) next.delete("at");
        else next.set("at", String(seq));
        return next;
      },
      { replace: true },
    );
  return [at, toggle];
}
