/** What a node of LangGraph runs. */
export interface Runnable {
  readonly name?: string;
  invoke(input: unknown, config: Config): Promise<unknown>;
}

/** What it is run with. */
export interface Config {
  readonly metadata?: {
    readonly langgraph_node?: string;
    readonly langgraph_step?: number;
    readonly langgraph_checkpoint_ns?: string;
  };
  readonly configurable?: {
    readonly __pregel_call?: CallTask;
    /** What interrupt() goes by. */
    readonly __pregel_scratchpad?: object;
    readonly __pregel_checkpointer?: unknown;
    readonly [key: string]: unknown;
  };
}

/** How the functional API starts a task from the body of its entrypoint. */
export type CallTask = (task: Task, name: string, ...rest: unknown[]) => unknown;
type Task = (...args: unknown[]) => unknown;
