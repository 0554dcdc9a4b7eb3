import type pg from "pg";

/** Thrown by everything that is asked of a pool whose process is taken for dead. */
export class Crashed extends Error {
  override readonly name = "Crashed";

  constructor(statement: number, when: string) {
    super(`the process died ${when} its statement ${statement}`);
  }
}

export interface Crash {
  /** The statement to die at, counted from 1 over all connections of the pool. Infinity: never, but count. */
  readonly at: number;
  /** `before`: the statement never reaches the server. `after`: it does, and its answer is lost. */
  readonly when: "before" | "after";
  /** Which statements count. Default: all. What timers send in between would make a sweep's numbers shift. */
  readonly counts?: (text: string) => boolean;
  /** Called at the moment of death: where the death is to be a real one, this kills the process. */
  readonly onDeath?: () => void;
}

export interface CrashingPool {
  /** A pg.Pool for openHoldfast. Once it has died, nothing that is asked of it reaches the server any more. */
  readonly pool: pg.Pool;
  /** Statements that reached the server or would have, so far. */
  readonly statements: number;
  readonly isDead: boolean;
}

/**
 * A pool that dies before or after its nth statement, as the process would. The heartbeat has a connection of its own and
 * goes on: close the Holdfast on this pool, and its lock is gone as if the process were.
 */
export function crashing(
  pool: pg.Pool,
  { at, when, counts = () => true, onDeath = () => {} }: Crash,
): CrashingPool {
  let statements = 0;
  let dead = false;
  const die = () => {
    dead = true;
    onDeath();
  };

  const guarded = async <T>(text: string, send: () => Promise<T>): Promise<T> => {
    if (dead) throw new Crashed(at, when);
    const mine = counts(text) ? ++statements : 0;
    if (mine === at && when === "before") {
      die();
      throw new Crashed(at, when);
    }
    const answer = await send();
    if (mine === at) die();
    if (dead) throw new Crashed(at, when); // whoever died meanwhile hears no answer
    return answer;
  };

  return {
    pool: tapped(pool, guarded, () => {
      if (dead) throw new Crashed(at, when);
    }),
    get statements() {
      return statements;
    },
    get isDead() {
      return dead;
    },
  };
}

/** Stands between whoever has a statement to send and the server: sends it or not, and gives back what it likes. */
export type Tap = <T>(text: string, send: () => Promise<T>) => Promise<T>;

/** A pool whose statements all go through the tap, also those of its connections. */
export function tapped(pool: pg.Pool, tap: Tap, beforeConnect: () => void = () => {}): pg.Pool {
  const wrap = <T extends object>(target: T): T =>
    new Proxy(target, {
      get(inner, property) {
        if (property === "query") {
          return (statement: string | { text: string }, ...more: never[]) =>
            tap(typeof statement === "string" ? statement : statement.text, () =>
              (inner as unknown as pg.Pool).query(statement as never, ...(more as [])),
            );
        }
        if (property === "connect") {
          return async () => {
            beforeConnect();
            return wrap(await (inner as unknown as pg.Pool).connect());
          };
        }
        const value: unknown = Reflect.get(inner, property, inner);
        return typeof value === "function" ? value.bind(inner) : value;
      },
    });
  return wrap(pool);
}
