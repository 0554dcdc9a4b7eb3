import { randomUUID } from "node:crypto";
import { type Holdfast, openHoldfast } from "@holdfast/core";
import pg from "pg";
import { afterAll, afterEach, beforeAll } from "vitest";
import { freshDatabase } from "../../../test/fresh-database.ts";
import { HoldfastSaver } from "../src/index.ts";

/** A database for the tests of one file, and savers on it. */
export interface GivenSaver {
  readonly url: string;
  /** The saver of this process. */
  readonly saver: () => HoldfastSaver;
  /** One that has seen nothing yet, as another process would have it. */
  readonly another: () => HoldfastSaver;
  /** A Holdfast on the database. Closed with the test. */
  readonly open: () => Promise<Holdfast>;
  readonly sql: <Row = Record<string, unknown>>(text: string, values?: unknown[]) => Promise<Row[]>;
  /** A session of one's own, for what others hold. Ended with the file. */
  readonly session: () => Promise<pg.Client>;
  /** The address of an empty database. */
  readonly anotherDatabase: () => Promise<string>;
  /** Looks until it is so. */
  readonly eventually: (isSo: () => Promise<boolean>) => Promise<void>;
  readonly newThread: () => { configurable: { thread_id: string } };
}

export function useSaver(): GivenSaver {
  let made: { url: string; drop(): Promise<void>; pool: pg.Pool; saver: HoldfastSaver } | undefined;
  const savers: HoldfastSaver[] = [];
  const opened: Holdfast[] = [];
  const sessions: pg.Client[] = [];
  const others: { drop(): Promise<void> }[] = [];
  const given = () => {
    if (!made) throw new Error("asked before beforeAll");
    return made;
  };
  beforeAll(async () => {
    const fresh = await freshDatabase();
    const pool = new pg.Pool({ connectionString: fresh.url });
    pool.on("error", () => {}); // sockets may outlive pool.end() by a moment, and the database goes then
    made = {
      ...fresh,
      pool,
      saver: new HoldfastSaver(fresh.url),
    };
    await made.saver.setup();
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((holdfast) => holdfast.close({ graceSeconds: 0 })));
  });
  afterAll(async () => {
    await Promise.all([...savers, given().saver].map((saver) => saver.end()));
    await Promise.all(sessions.map((session) => session.end()));
    await Promise.all(others.map((other) => other.drop()));
    await given().pool.end();
    await given().drop();
  });
  return {
    get url() {
      return given().url;
    },
    saver: () => given().saver,
    another: () => {
      const saver = new HoldfastSaver(given().url);
      savers.push(saver);
      return saver;
    },
    open: async () => {
      const holdfast = await openHoldfast({ database: given().url });
      opened.push(holdfast);
      return holdfast;
    },
    sql: async (text, values) => (await given().pool.query(text, values)).rows,
    session: async () => {
      const session = new pg.Client({ connectionString: given().url });
      session.on("error", () => {});
      sessions.push(session);
      await session.connect();
      return session;
    },
    anotherDatabase: async () => {
      const other = await freshDatabase();
      others.push(other);
      return other.url;
    },
    eventually: async (isSo) => {
      while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 10));
    },
    newThread: () => ({ configurable: { thread_id: randomUUID() } }),
  };
}
