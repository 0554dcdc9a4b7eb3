/*
 * What this adapter needs of a language model, alike in the specifications V2 (ai 5), V3 (ai 6) and V4 (ai 7). Written
 * by hand: no one of them can be imported without leaving out the users of the other two.
 */

export interface LanguageModel {
  readonly provider: string;
  readonly modelId: string;
  doGenerate(request: ModelRequest): PromiseLike<Generated>;
  doStream(request: ModelRequest): PromiseLike<Streamed>;
}

/** What the SDK passes to a model. */
export interface ModelRequest {
  readonly abortSignal?: AbortSignal | undefined;
  readonly [field: string]: unknown;
}

export interface Generated {
  readonly content: readonly Part[];
  readonly usage?: unknown;
  readonly request?: unknown;
  readonly response?: ResponseMetadata | undefined;
}

export interface Streamed {
  readonly stream: ReadableStream<Part>;
  readonly request?: unknown;
  readonly response?: ResponseMetadata | undefined;
}

export interface ResponseMetadata {
  readonly id?: string | undefined;
  readonly timestamp?: Date | undefined;
  readonly modelId?: string | undefined;
  readonly body?: unknown;
}

/** A part of an answer, or of a stream. Which fields there are depends on its type. */
export interface Part {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** A tool call that the SDK is to execute. What the provider executes itself is part of its answer. */
export interface ToolCallPart extends Part {
  readonly type: "tool-call";
  readonly toolCallId: string;
  readonly toolName: string;
  readonly input: unknown;
}

export function isToolCall(part: Part): part is ToolCallPart {
  return part.type === "tool-call" && part.providerExecuted !== true;
}
