import { AsyncLocalStorage } from "node:async_hooks";
import { HoldfastError } from "@holdfast/core";

type Kind = "model" | "tool";

/** The held call that LangChain is about to tell its callbacks of. */
const announcing = new AsyncLocalStorage<Kind | undefined>();

/** Runs `work`, which may be a generator, as a call that is held. */
export function announced<T>(kind: Kind, work: () => T): T {
  const result = announcing.run(kind, work);
  return isGenerator(result) ? (through(result, kind) as T) : result;
}

/** Runs the body of a held call: what it calls in turn is not announced by that. */
export const unannounced = <T>(work: () => T): T => announcing.run(undefined, work);

/**
 * A callback handler that refuses each start of a model or a tool that was not announced: one of a copy of LangChain that we
 * have not reached. LangChain makes no call whose start such a handler throws at.
 */
export class Watchdog {
  readonly name = "HoldfastWatchdog";
  readonly awaitHandlers = true;
  readonly raiseError = true;
  readonly ignoreChain = true;
  readonly ignoreRetriever = true;
  readonly ignoreCustomEvent = true;
  readonly #refused: (error: HoldfastError) => void;

  constructor(refused: (error: HoldfastError) => void) {
    this.#refused = refused;
  }

  /** LangChain copies its handlers where it hands them on. */
  copy(): this {
    return this;
  }

  handleChatModelStart(model: Told): void {
    this.#check("model", model);
  }

  handleToolStart(tool: Told): void {
    this.#check("tool", tool);
  }

  #check(kind: Kind, { name, id }: Told): void {
    if (announcing.getStore() === kind) return;
    const why = "it comes from a copy of @langchain/core that withDurability has not reached";
    const error = new HoldfastError("UNHELD_CALL", { name: name ?? id?.at(-1) ?? `A ${kind}`, why });
    this.#refused(error);
    throw error;
  }
}

interface Told {
  readonly name?: string;
  readonly id?: readonly string[];
}

const isGenerator = (value: unknown): value is AsyncGenerator =>
  Object.prototype.toString.call(value) === "[object AsyncGenerator]";

/** The same generator, whoever asks for its next value. */
function through(generator: AsyncGenerator, kind: Kind): AsyncIterableIterator<unknown> {
  const within = <T>(work: () => T): T => announcing.run(kind, work);
  return {
    next: (value: unknown) => within(() => generator.next(value)),
    return: (value: unknown) => within(() => generator.return(value)),
    throw: (error: unknown) => within(() => generator.throw(error)),
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
