import type { Port } from "@holdfast/core";
import type { Model, ModelRequest } from "./sdk.ts";

/** What is asked of whom. */
export interface Question {
  readonly request: ModelRequest;
  /** The model's name, as the ledger has it. */
  readonly name: string;
  readonly find: () => Model | Promise<Model>;
}

/** In a replay, what `set` says in place of the agent's own model and instructions. `named` finds a model by its name. */
export function withSet(
  { set }: Port,
  own: Question,
  named: ((name: string) => Question["find"]) | undefined,
): Question {
  if (!set) return own;
  const { model, prompt } = set;
  const request = prompt === undefined ? own.request : { ...own.request, systemInstructions: prompt };
  if (model === undefined) return { ...own, request };
  if (canBeAsked(model)) return { request, name: nameOf(model), find: () => model };
  if (typeof model === "string" && named) return { request, name: model, find: named(model) };
  const why =
    typeof model === "string" ? "there is no provider to look its name up in: pass the model" : "it is none";
  throw new TypeError(`set.model cannot be asked: ${why}`);
}

const canBeAsked = (model: unknown): model is Model =>
  typeof model === "object" && model !== null && "getResponse" in model && "getStreamedResponse" in model;

/** What a model that was not found by its name is called. */
export function nameOf(model: Model): string {
  const { _model, model: id, modelId } = model as { _model?: unknown; model?: unknown; modelId?: unknown };
  const name = [_model, id, modelId].find((name) => typeof name === "string" && name !== "");
  return typeof name === "string" ? name : "model";
}
