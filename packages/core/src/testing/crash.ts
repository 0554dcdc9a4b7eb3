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
export function crashing(pool: pg.Pool, { at, when }: Crash): CrashingPool {
  let statements = 0;
  let dead = false;

  const guarded = async <T>(send: () => Promise<T>): Promise<T> => {
    if (dead) throw new Crashed(at, when);
    const mine = ++statements;
    if (mine === at && when === "before") {
      dead = true;
      throw new Crashed(at, when);
    }
    const answer = await send();
    if (mine === at) dead = true;
    if (dead) throw new Crashed(at, when); // whoever died meanwhile hears no answer
    return answer;
  };

  const wrap = <T extends object>(target: T): T =>
    new Proxy(target, {
      get(inner, property) {
        if (property === "query") {
          return (...args: never[]) =>
            guarded(() => (inner as unknown as pg.Pool).query(...(args as [never])));
        }
        if (property === "connect") {
          return async () => {
            if (dead) throw new Crashed(at, when);
            return wrap(await (inner as unknown as pg.Pool).connect());
          };
        }
        const value: unknown = Reflect.get(inner, property, inner);
        return typeof value === "function" ? value.bind(inner) : value;
      },
    });

  return {
    pool: wrap(pool),
    get statements() {
      return statements;
    },
    get isDead() {
      return dead;
    },
  };
}
