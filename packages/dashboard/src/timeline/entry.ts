import type { LedgerEntry } from "@holdfast/core";

type OverHttp<E> = E extends unknown ? Omit<E, "at"> & { readonly at: string } : never;

/** An entry as the control API tells it. */
export type Entry = OverHttp<LedgerEntry>;
export type EntryOf<K extends Entry["kind"]> = Extract<Entry, { readonly kind: K }>;
export type NoteOf<N extends EntryOf<"note">["note"]> = Extract<EntryOf<"note">, { readonly note: N }>;

export const instantOf = (entry: Pick<Entry, "at">): number => Date.parse(entry.at);
