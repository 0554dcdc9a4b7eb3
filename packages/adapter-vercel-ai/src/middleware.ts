import { outsideRun } from "@holdfast/core";
import { currentHold, type Hold } from "./hold.ts";
import type { Generated, LanguageModel, ModelRequest, Streamed } from "./language-model.ts";
import { MARK } from "./mark.ts";
import { generate, stream } from "./model.ts";

export interface DurableMiddleware {
  /** These two are for the types of ai 5, 6 and 7. Nothing reads them. */
  readonly specificationVersion: "v3";
  readonly middlewareVersion: "v2";
  wrapGenerate<T>(call: Around & { doGenerate(): PromiseLike<T> }): Promise<T>;
  wrapStream<T>(call: Around & { doStream(): PromiseLike<T> }): Promise<T>;
}

interface Around {
  readonly params: object;
  readonly model: object;
}

/**
 * For `wrapLanguageModel`: holds the calls of one model in the run that they are made in. `withDurability` does this by
 * itself; what it holds is not held twice.
 */
export function durableMiddleware(): DurableMiddleware {
  const middleware: Middleware = {
    async wrapGenerate({ doGenerate, params, model }) {
      const hold = holdFor(params);
      if (!hold) return doGenerate();
      return generate(hold, model, params, ({ maxOutputTokens }) =>
        maxOutputTokens === undefined ? doGenerate() : model.doGenerate({ ...params, maxOutputTokens }),
      );
    },
    async wrapStream({ doStream, params, model }) {
      const hold = holdFor(params);
      if (!hold) return doStream();
      return stream(hold, model, params, ({ maxOutputTokens }) =>
        maxOutputTokens === undefined ? doStream() : model.doStream({ ...params, maxOutputTokens }),
      );
    },
  };
  // What comes back is what `doGenerate` or `doStream` gave, or its record: of the same type in every major version.
  return {
    specificationVersion: "v3",
    middlewareVersion: "v2",
    ...(middleware as Pick<DurableMiddleware, keyof Middleware>),
  };
}

interface Middleware {
  wrapGenerate(call: Wrapped & { doGenerate: () => PromiseLike<Generated> }): Promise<Generated>;
  wrapStream(call: Wrapped & { doStream: () => PromiseLike<Streamed> }): Promise<Streamed>;
}

interface Wrapped {
  readonly params: ModelRequest;
  readonly model: LanguageModel;
}

function holdFor(params: ModelRequest): Hold | undefined {
  if (MARK in params) return undefined;
  const hold = currentHold();
  if (!hold) outsideRun("a model call of durableMiddleware");
  return hold;
}
