import type { Asks } from "./ledger/entry.ts";
import { RequestMemo } from "./request.ts";

/** What a lane, or a row of calls of one name in it, knows of this execution. */
interface Row {
  readonly taken: Set<number>;
  /** Calls that are open, or sibling lanes that are. */
  readonly open: Set<{ parallel: boolean }>;
}

/** A tool call, and the model call whose answer asked for it. */
export interface Emitted {
  readonly model: string;
  /** With its input where this execution has seen the answer. */
  readonly call: Asks & { readonly input?: unknown };
}

/**
 * A path of names under which calls are matched: the run, then a framework call, a node, a tool's body. It gets its
 * number among siblings of one name with its first call: what that asks tells which recorded lane it is.
 */
export class Lane {
  readonly name: string;
  readonly parent: Lane | undefined;
  /** Undefined until the first call. */
  path: string | undefined;
  /** It asked something else than the recorded lane that it was taken for, by its order alone. */
  byOrder = false;
  /** A sibling of this name was open at the same time. */
  parallel = false;
  /** What models were asked in this lane. */
  readonly requests = new RequestMemo();
  readonly emitted = new Map<string, Emitted[]>();
  readonly #rows = new Map<string, Row>();
  #pending = 0;

  constructor(name: string, parent?: Lane, path?: string) {
    this.name = name;
    this.parent = parent;
    this.path = path;
  }

  /** The row of calls, or of child lanes (`name/`), of one name. */
  row(name: string): Row {
    let row = this.#rows.get(name);
    if (!row) {
      row = { taken: new Set(), open: new Set() };
      this.#rows.set(name, row);
    }
    return row;
  }

  /** It is gone through again from its beginning: no place in it is taken any more. */
  restart(): void {
    this.#rows.clear();
    this.emitted.clear();
  }

  /** A child of that name, open until what it was opened for has settled. */
  child(name: string): Lane {
    return new Lane(name, this);
  }

  /** The lanes from here upwards that run, or ran, beside a sibling of their name. */
  beside(): string[] {
    const above = this.parent?.beside() ?? [];
    return this.parallel && this.path !== undefined ? [...above, this.path] : above;
  }

  /** The lane is open while anything that it was opened for has not settled. */
  hold(pending: PromiseLike<unknown>): void {
    const close = this.open();
    pending.then(close, close);
  }

  /** Opens the lane once more. Gives back how to close it again. */
  open(): () => void {
    const siblings = this.parent?.row(`${this.name}/`).open;
    if (this.#pending++ === 0 && siblings) enterRow(siblings, this);
    return () => {
      if (--this.#pending === 0) siblings?.delete(this);
    };
  }
}

/** Something opens beside others: from now on the order of all of them says nothing. */
export function enterRow(open: Set<{ parallel: boolean }>, newcomer: { parallel: boolean }): void {
  open.add(newcomer);
  if (open.size > 1) for (const each of open) each.parallel = true;
}
