import { Appender } from "./appender.ts";
import { Creator } from "./creator.ts";
import { HoldfastError } from "./errors.ts";
import { Moves } from "./moves.ts";
import { openDatabase } from "./open-database.ts";
import type { HoldfastOptions } from "./options.ts";
import { currentScope } from "./scope.ts";
import type { Database } from "./store/database.ts";
import { checkSchema, type Migration, migrate, type PackageMigrations } from "./store/migrate.ts";

/** What a package with tables of its own is given of the database. */
export type TablesDatabase = Pick<Database, "query" | "transaction">;

/** The database, and who writes to it for all runs of the process. */
export interface Connected {
  readonly db: Database;
  readonly appender: Appender;
  readonly creator: Creator;
}

/** The database of one Holdfast, from when it is first used, with its schema and the tables of packages. */
export class Connection {
  /** Hints that runs have moved on, in this process or another. */
  readonly moves = new Moves();
  readonly #options: Pick<HoldfastOptions, "database" | "migrate">;
  readonly #isClosed: () => boolean;
  #means: Promise<Connected> | undefined;
  /** Tables of packages that are there, by their migrations. */
  readonly #tables = new Map<readonly Migration[], Promise<void>>();
  #db: Database | undefined;

  constructor(options: Pick<HoldfastOptions, "database" | "migrate">, isClosed: () => boolean) {
    this.#options = options;
    this.#isClosed = isClosed;
  }

  /** The database, once there is one. */
  get db(): Database | undefined {
    return this.#db;
  }

  /** Connects if that has not been done. Whoever calls it first starts it for all. */
  async opened(): Promise<Connected> {
    currentScope()?.session.trace?.refuse("the agent asks the database for something");
    if (this.#isClosed())
      throw new HoldfastError("DATABASE_UNAVAILABLE", { why: "this Holdfast was closed" });
    this.#means ??= this.#open();
    try {
      return await this.#means;
    } catch (error) {
      this.#means = undefined; // the next one tries again
      throw error;
    }
  }

  /** The database, with these tables brought up to date, or only checked: once, however often it is asked for. */
  async tables(of: PackageMigrations): Promise<TablesDatabase> {
    const { db } = await this.opened();
    let made = this.#tables.get(of.migrations);
    if (!made) {
      made = this.#options.migrate === false ? checkSchema(db, of) : migrate(db, of);
      this.#tables.set(of.migrations, made);
      made.catch(() => this.#tables.delete(of.migrations)); // the next one tries again
    }
    await made;
    return db;
  }

  async close(): Promise<void> {
    await this.moves.stop();
    await this.#db?.close();
  }

  async #open(): Promise<Connected> {
    const { database, migrate: mayMigrate = true } = this.#options;
    const db = await openDatabase(database);
    this.#db = db;
    await (mayMigrate ? migrate(db) : checkSchema(db));
    return { db, appender: new Appender(db, () => this.moves.tell(db)), creator: new Creator(db) };
  }
}
