/** A chat model, as far as it concerns us. */
export interface ChatModel {
  _llmType(): string;
  getName(): string;
  invocationParams?(options: unknown): unknown;
  getLsParams?(options: unknown): { ls_provider?: string; ls_model_name?: string; ls_max_tokens?: number };
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly [option: string]: unknown;
}

/** A model, and the options it is called with. */
export interface Asked<M> {
  readonly model: M;
  readonly options: CallOptions;
}
