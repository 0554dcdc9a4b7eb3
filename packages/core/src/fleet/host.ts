import type { Means } from "../owner.ts";
import type { LedgerEntry, TailOptions } from "../read-ledger.ts";
import type { Session } from "../session.ts";
import type { RunSettings } from "../settings.ts";
import type { Database } from "../store/database.ts";
import type { Lease } from "../store/ledger.ts";
import type { Registered } from "./agent.ts";
import type { Notifier } from "./notifier.ts";
import type { Results } from "./results.ts";

/** What the fleet needs of the Holdfast that it belongs to. */
export interface Host {
  readonly settings: RunSettings;
  readonly graceSeconds: number;
  /** So many runs may be queued; undefined: any number. */
  readonly queueLimit: number | undefined;
  db(): Promise<Database>;
  /** The database, and a heart that beats. */
  means(): Promise<Means>;
  /** A claim is under way: what is leased here and not worked on may be its answer. Gives back what ends that. */
  claiming(): () => void;
  /** This process works on the run until what is given back is called. */
  attend(lease: Lease, session: Session): () => void;
  /** Somebody told a run something. */
  look(): void;
  entries(id: string): Promise<LedgerEntry[]>;
  tail(id: string, options?: TailOptions): AsyncGenerator<LedgerEntry>;
}

/** What handles, starters and workers of one Holdfast share. */
export interface Shared {
  readonly host: Host;
  readonly results: Results;
  readonly agents: ReadonlyMap<string, Registered>;
  notifier(db: Database): Notifier;
}
