import pg from "pg";
import { afterEach } from "vitest";
import { type Holdfast, type HoldfastOptions, openHoldfast } from "../src/index.ts";
import { type Tap, tapped } from "../src/testing/crash.ts";
import { newId, type Store, useStore } from "./store.ts";

export interface Opened extends Store {
  /** Another Holdfast on the same database, as another process would have it. Closed with the test. */
  readonly open: (options?: HoldfastOptions) => Promise<Holdfast>;
  /** The same, on a pool whose statements go through the tap. */
  readonly openTapped: (tap: Tap, options?: HoldfastOptions) => Promise<Holdfast>;
  /** As if the owner of the run had been stopped for longer than its lease: it does not know. */
  readonly stall: (runId: string) => Promise<void>;
  /** A run that was handed over in the middle of `work`: all that had settled is on record. */
  readonly interruptRun: (
    work: (interrupt: () => Promise<never>) => unknown,
    options?: HoldfastOptions,
  ) => Promise<string>;
  /** A run that was left in the middle of `work`, its owner being dead as far as others can see. */
  readonly leaveRun: (work: (underWay: () => void) => unknown, options?: HoldfastOptions) => Promise<string>;
}

export function useHoldfast(): Opened {
  const store = useStore();
  const open: Holdfast[] = [];
  const pools: pg.Pool[] = [];

  afterEach(async () => {
    await Promise.all(open.splice(0).map((holdfast) => holdfast.close({ graceSeconds: 0 })));
    await Promise.all(pools.splice(0).map((pool) => pool.end()));
  });

  const opened: Opened = {
    sql: store.sql,
    session: store.session,
    get url() {
      return store.url;
    },
    get db() {
      return store.db;
    },
    async open(options = {}) {
      const holdfast = await openHoldfast({ database: store.url, ...options });
      open.push(holdfast);
      return holdfast;
    },
    async openTapped(tap, options) {
      const pool = new pg.Pool({ connectionString: store.url });
      pool.on("error", () => {});
      pools.push(pool);
      return await opened.open({ database: tapped(pool, tap), ...options });
    },
    async stall(runId) {
      await store.sql(
        `update holdfast.workers set until = now() - interval '1 second'
          where worker = (select leased_by from holdfast.runs where run_id = $1)`,
        [runId],
      );
    },
    async interruptRun(work, options) {
      const id = newId();
      const holdfast = await opened.open(options);
      const interrupted = Promise.withResolvers<void>();
      const left = holdfast.run(id, () =>
        work(() => {
          interrupted.resolve();
          return forever();
        }),
      );
      left.catch(interrupted.reject);
      await interrupted.promise;
      await holdfast.close();
      return id;
    },
    async leaveRun(work, options) {
      const id = newId();
      const holdfast = await opened.open(options);
      const underWay = Promise.withResolvers<void>();
      const left = holdfast.run(id, () => work(underWay.resolve));
      left.catch(underWay.reject);
      await underWay.promise;
      await opened.stall(id);
      return id;
    },
  };
  return opened;
}

/** Work that is under way for ever. */
export const forever = <T>(): Promise<T> => new Promise<T>(() => {});

/** How often something was called, by name. */
export function counter() {
  const calls: string[] = [];
  return {
    calls,
    /** Work that notes that it was called, and returns the value. */
    does:
      <T>(name: string, value?: T) =>
      () => {
        calls.push(name);
        return value as T;
      },
  };
}
