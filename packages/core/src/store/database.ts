/** The little of Postgres that the store needs. */
export interface Queryable {
  /** Runs one statement. It is prepared once a connection under a name of its own, unless a pooler forbids that. */
  query<Row>(text: string, values?: readonly unknown[]): Promise<{ rows: Row[] }>;
  /** Runs several statements without values, unprepared: a migration. */
  script(text: string): Promise<void>;
}

/** An open transaction on a connection of its own. */
export interface Transaction extends Queryable {
  /** The driver's own client, for a tool that writes through it. */
  readonly client: unknown;
  /** Its connection was lost: what it wrote is not there. */
  readonly isLost: boolean;
  commit(): Promise<void>;
  rollback(): Promise<void>;
  /** Gives it up at once, whatever it is busy with: its connection is cut. */
  abandon(): void;
}

export interface Database extends Queryable {
  transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T>;
  /** A transaction that its caller ends. Postgres ends it where nothing is said in it for `idleMs`. */
  begin(idleMs: number): Promise<Transaction>;
  /** How a connection of one's own is opened, for the heartbeat. Cloneable to a thread. */
  readonly connection: ConnectionOptions;
  close(): Promise<void>;
}

/** What `pg.Client` takes, without what a thread cannot be given. */
export type ConnectionOptions = Readonly<Record<string, unknown>>;
