import type { CallRow } from "./row.ts";

/** For each call that was under way beside others: which, by seq. One sweep over starts and ends. */
export function overlapsOf(calls: readonly CallRow[], now: number): ReadonlyMap<number, readonly CallRow[]> {
  const beside = new Map<number, CallRow[]>();
  const add = (of: CallRow, other: CallRow) => beside.set(of.seq, [...(beside.get(of.seq) ?? []), other]);
  let open: CallRow[] = [];
  for (const call of [...calls].sort((a, b) => a.from - b.from || a.seq - b.seq)) {
    open = open.filter(({ to }) => (to ?? now) > call.from);
    for (const other of open) {
      // A call in the body of another is part of it.
      if (call.step.startsWith(`${other.step}/`)) continue;
      add(call, other);
      add(other, call);
    }
    open.push(call);
  }
  return beside;
}
