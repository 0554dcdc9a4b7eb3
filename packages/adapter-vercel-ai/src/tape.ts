import type { Live } from "@holdfast/core";
import { missing } from "./answer.ts";
import type { Hold } from "./hold.ts";
import { isToolCall, type Part, type ResponseMetadata, type Streamed } from "./language-model.ts";

/** A stream as it is recorded: whole, with adjacent pieces of one text joined. Its last part is the finish. */
export interface Recording {
  readonly parts: readonly Part[];
  readonly rest: Omit<Streamed, "stream">;
}

export interface TapeOptions {
  readonly live: Live<Recording>;
  readonly hold: Hold;
  readonly rest: Recording["rest"];
  readonly modelId: string;
}

/**
 * Takes down a live stream. A stream that breaks off, reports an error or ends without a finish is no answer: nothing
 * of it is recorded, and the SDK's next try takes its place.
 */
export class Tape {
  readonly #options: TapeOptions;
  readonly #parts: Part[] = [];
  readonly #answered = Promise.withResolvers<void>();
  /** Tells the text parts of this answer from those of others, which may well be called the same. */
  readonly #suffix = crypto.randomUUID().slice(0, 8);
  #runs = true;

  constructor(options: TapeOptions) {
    this.#options = options;
    this.#answered.promise.catch(() => {}); // it is for tools that ask early, and there may be none
  }

  /** Takes a part down, and gives what may now go on to the reader. */
  async take(part: Part): Promise<readonly Part[]> {
    if (part.type === "error") await this.breakOff(part.error);
    if (!this.#runs) return [part];
    if (part.type === "finish") return this.#finish(part);
    if (isToolCall(part)) this.#options.hold.answered.set(part.toolCallId, this.#answered.promise);
    const own = this.#rename(part);
    await this.#grow(own);
    join(this.#parts, own);
    return [own];
  }

  async breakOff(error: unknown): Promise<void> {
    // A tool that has been started early must not run: no record would say that the model ever asked for it.
    this.#answered.reject(
      new Error("The model's answer broke off. Its tool calls are not made.", { cause: error }),
    );
    if (!this.#runs) return;
    this.#runs = false;
    await this.#options.live.fail(error, { said: this.#parts });
  }

  async #grow(part: Part): Promise<void> {
    const text = typeof part.delta === "string" ? part.delta : JSON.stringify(part);
    try {
      await this.#options.live.grow(Buffer.byteLength(text));
    } catch (error) {
      this.#runs = false; // that it is too large is the outcome
      throw error;
    }
  }

  /** The SDK gives a text part whose id has been used a random one, in every execution another. */
  #rename(part: Part): Part {
    return /^(text|reasoning)-/.test(part.type)
      ? { ...part, id: `${String(part.id)}-${this.#suffix}` }
      : part;
  }

  async #finish(finish: Part): Promise<readonly Part[]> {
    const { live, rest, modelId } = this.#options;
    this.#runs = false;
    const metadata = missing(metadataIn(this.#parts), modelId);
    const last =
      Object.keys(metadata).length > 0 ? [{ type: "response-metadata", ...metadata }, finish] : [finish];
    await live.commit({ parts: [...this.#parts, ...last], rest }, { durable: true });
    this.#answered.resolve();
    return last;
  }
}

/** Adds a part, or what it adds to the part before it. Raw chunks and pings say nothing that is not said otherwise. */
export function join(parts: Part[], part: Part): void {
  if (part.type === "raw" || part.type === "ping") return;
  const last = parts.at(-1);
  if (last && continues(last, part))
    parts[parts.length - 1] = { ...last, delta: String(last.delta) + String(part.delta) };
  else parts.push(part);
}

function continues(last: Part, part: Part): boolean {
  return (
    /^(text|reasoning|tool-input)-delta$/.test(part.type) &&
    last.type === part.type &&
    last.id === part.id &&
    !last.providerMetadata &&
    !part.providerMetadata
  );
}

function metadataIn(parts: readonly Part[]): ResponseMetadata {
  return Object.assign({}, ...parts.filter(({ type }) => type === "response-metadata"));
}
