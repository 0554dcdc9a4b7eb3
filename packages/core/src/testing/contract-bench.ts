import type { Asking } from "../asking.ts";

/** What the scripted model says in one turn: a text, or the tools it calls. */
export interface ContractTurn {
  readonly text?: string;
  readonly calls?: readonly { readonly name: string; readonly input: unknown; readonly id?: string }[];
}

/** An agent, as the contract needs one: the adapter's bench writes it in its framework's own idiom. */
export interface ContractAgent {
  readonly turns: readonly ContractTurn[];
  /** By name: what a tool does with its input. Inputs and outputs are records. */
  readonly tools: Readonly<Record<string, (input: never) => unknown>>;
  /** It has the adapter's own tool as well that asks a person, by the name `requestInput`, made with this. */
  readonly requestInput?: Omit<Asking<unknown>, "question">;
  /** The agent's prompt. Absent: always the same one. */
  readonly prompt?: string;
  /** Its system prompt. Absent: none. */
  readonly system?: string;
}

export interface ContractBench {
  /** A scripted model and an agent around it. Which turn is next is decided by what the conversation holds. */
  agent(agent: ContractAgent): {
    /** Runs the agent to its end, inside `hf.run`: gives back its final text. */
    readonly run: () => Promise<string>;
    /** The same, streaming: gives back the text as it was streamed. */
    readonly stream: () => Promise<string>;
    /** How many requests the model has had so far. */
    readonly asked: () => number;
    /** The last request that the model has had, as text: what it was told is in it. */
    readonly heard: () => string;
    /** The model, as a replay's `set.model` takes it. */
    readonly model: unknown;
  };
  close?(): Promise<void>;
}
