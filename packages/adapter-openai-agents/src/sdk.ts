/*
 * What this adapter needs of the SDK, alike from 0.8 to 0.20. Written by hand: nothing is imported from it, because its ESM
 * and its CommonJS copy are different classes, and a user may have either.
 */

import type { Effect } from "@holdfast/core";
import type { EFFECT } from "./mark.ts";

export type Callable = (...args: never[]) => unknown;

/** The class that the user hands in. */
export interface RunnerClass {
  readonly prototype: { run: Callable };
}

export interface Runner {
  readonly config: { readonly model?: unknown; readonly modelProvider?: unknown };
}

export interface Agent {
  readonly name: string;
  readonly model?: unknown;
  readonly handoffs?: readonly object[];
  readonly mcpServers?: readonly McpServer[];
  asTool(options: { toolName: string; toolDescription: string }): FunctionTool;
}

export interface RunOptions {
  readonly stream?: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly session?: Session | undefined;
}

export interface RunContext {
  context: unknown;
  readonly usage: object;
  isToolApproved(call: { toolName: string; callId: string }): boolean | undefined;
  rejectTool(item: ApprovalItem, options: { message: string }): void;
}

/** A call that somebody is asked about, as the SDK has it. */
export interface ApprovalItem {
  readonly rawItem: OutputItem;
  readonly agent: Agent | undefined;
  readonly toolName: string;
}

export interface Provider {
  getModel(name?: string): Model | Promise<Model>;
}

export interface Model {
  getResponse(request: ModelRequest): Promise<ModelResponse>;
  getStreamedResponse(request: ModelRequest): AsyncIterable<StreamEvent>;
}

export interface ModelRequest {
  signal?: AbortSignal | undefined;
  readonly conversationId?: unknown;
  readonly prompt?: unknown;
  readonly modelSettings?: Readonly<Record<string, unknown>>;
  readonly tools?: readonly RequestTool[];
  readonly [field: string]: unknown;
}

/** A tool as a model is told of it. */
export interface RequestTool {
  readonly type: string;
  readonly name: string;
  readonly providerData?: Readonly<Record<string, unknown>>;
}

export interface ModelResponse {
  readonly output: readonly OutputItem[];
  readonly usage: object;
  readonly responseId?: string | undefined;
  readonly requestId?: string | undefined;
  readonly rawUsage?: unknown;
}

/** One item of an answer. Which fields there are depends on its type. */
export interface OutputItem {
  readonly type?: string;
  readonly [field: string]: unknown;
}

export interface StreamEvent {
  readonly type: string;
  readonly [field: string]: unknown;
}

export interface ToolCall {
  readonly callId?: string;
  readonly name?: string;
  readonly namespace?: string;
}

export interface InvokeDetails {
  readonly toolCall?: ToolCall;
  readonly signal?: AbortSignal | undefined;
}

export type Invoke = (runContext: RunContext, input: string, details?: InvokeDetails) => Promise<unknown>;

export interface FunctionTool {
  readonly type: "function";
  readonly name: string;
  /** The JSON Schema of its arguments. */
  readonly parameters?: unknown;
  invoke: Invoke;
  readonly timeoutMs?: number | undefined;
  readonly outputSchema?: unknown;
  readonly needsApproval: NeedsApproval;
  readonly [EFFECT]?: Effect;
  /** Only of agents as tools: listens to the events of the inner run. */
  readonly on?: unknown;
}

/** Is somebody to be asked about the call? Of a function tool the arguments are given, else the action. */
export type NeedsApproval = (runContext: RunContext, input: object, callId: string) => Promise<boolean>;

export interface ShellTool {
  readonly type: "shell";
  readonly name: string;
  readonly shell?: { run(action: object): Promise<unknown> };
  readonly needsApproval: NeedsApproval;
}

export interface ApplyPatchTool {
  readonly type: "apply_patch";
  readonly name: string;
  readonly editor: Editor;
  readonly needsApproval: NeedsApproval;
}

export type Editor = Record<
  EditorMethod,
  (operation: object, context?: { runContext?: RunContext }) => unknown
>;

export type EditorMethod = "createFile" | "updateFile" | "deleteFile";

export interface ComputerTool {
  readonly type: "computer";
  readonly name: string;
  /** One, a function that makes one, or what makes one and puts it away. */
  readonly computer: object;
  readonly needsApproval: NeedsApproval;
  /** What is made of the provider's warnings about an action: absent, the SDK acts and does not acknowledge them. */
  readonly onSafetyCheck?: ((asked: object) => unknown) | undefined;
}

export interface HostedTool {
  readonly type: "hosted_tool";
  readonly name: string;
  readonly providerData?: HostedData | undefined;
}

/** Of an MCP server that the provider talks to: its label, and whether and who is asked about calls of its tools. */
export interface HostedData {
  readonly type?: string;
  readonly server_label?: string;
  readonly require_approval?: unknown;
  readonly on_approval?: OnApproval | undefined;
}

export type OnApproval = (
  runContext: RunContext,
  item: ApprovalItem,
) => Promise<{ readonly approve: boolean; readonly reason?: string | undefined }>;

export type Tool = FunctionTool | ShellTool | ApplyPatchTool | ComputerTool | HostedTool;

export interface Handoff {
  readonly toolName: string;
  readonly agent: Agent;
  readonly onInvokeHandoff: (runContext: RunContext, args: string) => Promise<Agent> | Agent;
}

export interface McpServer {
  toolMetaResolver?: ((context: object) => MetaOrNone | Promise<MetaOrNone>) | undefined;
}

type MetaOrNone = Readonly<Record<string, unknown>> | null | undefined;

/** Where a conversation is kept. It may have more methods than these, depending on the version. */
export interface Session {
  getItems(limit?: number): Promise<readonly object[]>;
  addItems(items: readonly object[]): Promise<void>;
  prepareHistoryItemsForPersistenceComparison?(items: readonly object[]): readonly object[];
}

/** What `run` gives back when it streams. */
export interface StreamedResult {
  readonly completed: Promise<void>;
  toStream(): ReadableStream<unknown>;
  /** Ends the stream with an error: not public, but there in every version. */
  _raiseError(error: unknown): void;
}
