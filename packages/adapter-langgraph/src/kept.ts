import { Document } from "@langchain/core/documents";
import {
  AIMessage,
  ChatMessage,
  FunctionMessage,
  HumanMessage,
  RemoveMessage,
  SystemMessage,
  ToolMessage,
} from "@langchain/core/messages";
import { Command, Send } from "@langchain/langgraph";

/*
 * The ledger keeps data. What LangChain and LangGraph pass around as classes is kept under a tag, and made again of it:
 *
 *   { "$lc": "message", "type": "ai", "fields": { "content": "…", … } }
 */
const TAG = "$lc";

type Fields = Readonly<Record<string, unknown>>;

/** The value as data, as far as we know its classes. What we do not know is left: the ledger says what it cannot keep. */
export function toKept(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toKept);
  if (typeof value !== "object" || value === null) return value;
  if (isMessage(value)) return { [TAG]: "message", type: value._getType(), fields: toKept(fieldsOf(value)) };
  if (hasName(value, "Command")) {
    const { graph, update, resume, goto } = value;
    return { [TAG]: "command", fields: toKept(defined({ graph, update, resume, goto })) };
  }
  if (hasName(value, "Send"))
    return { [TAG]: "send", fields: toKept({ node: value.node, args: value.args }) };
  if (Object.getPrototypeOf(value) !== Object.prototype) {
    if (!isDocument(value)) return value;
    const { pageContent, metadata, id } = value;
    return { [TAG]: "document", fields: toKept(defined({ pageContent, metadata, id })) };
  }
  const fields = Object.fromEntries(Object.entries(value).map(([name, part]) => [name, toKept(part)]));
  return TAG in value ? { [TAG]: "plain", fields } : fields;
}

/** What was kept, with its classes again. */
export function fromKept(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(fromKept);
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype)
    return value;
  const tagged = value as { [TAG]?: string; type?: string; fields?: Fields };
  const fields = mapValues(tagged[TAG] === undefined ? (value as Fields) : (tagged.fields ?? {}), fromKept);
  switch (tagged[TAG]) {
    case "message":
      return messageOf(tagged.type ?? "", fields);
    case "command":
      return new Command(fields);
    case "send":
      return new Send(fields.node as string, fields.args);
    case "document":
      return new Document(fields as { pageContent: string });
    default:
      return fields;
  }
}

/** A message as it stands in LangChain, whichever copy of it made the message. */
export interface Message {
  _getType(): string;
  id?: string | undefined;
  content: unknown;
  name?: string | undefined;
  tool_calls?: readonly ToolCall[] | undefined;
  tool_call_id?: string | undefined;
  status?: string | undefined;
  usage_metadata?: TokenCounts | undefined;
  additional_kwargs?: Fields | undefined;
}

interface TokenCounts {
  readonly input_tokens?: number;
  readonly output_tokens?: number;
  readonly input_token_details?: { readonly cache_read?: number; readonly cache_creation?: number };
  readonly output_token_details?: { readonly reasoning?: number };
}

export interface ToolCall {
  readonly id?: string | undefined;
  readonly name: string;
  readonly args: unknown;
}

export const isMessage = (value: unknown): value is Message =>
  typeof (value as Partial<Message> | null | undefined)?._getType === "function" &&
  "content" in (value as object);

const messages: Readonly<Record<string, new (fields: never) => unknown>> = {
  ai: AIMessage,
  human: HumanMessage,
  system: SystemMessage,
  tool: ToolMessage,
  function: FunctionMessage,
  generic: ChatMessage,
  remove: RemoveMessage,
};

function messageOf(type: string, fields: Fields): unknown {
  const Message = messages[type];
  if (!Message) throw new TypeError(`there is no message of type ${type}`);
  return new Message(fields as never);
}

/** What a message says: without what its class says of itself, and without the pieces that a stream brought it in. */
function fieldsOf(message: Message): Fields {
  const said = Object.entries(message).filter(
    ([name]) => !name.startsWith("lc_") && name !== "tool_call_chunks",
  );
  return defined(Object.fromEntries(said));
}

function defined(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

const mapValues = (fields: Fields, map: (value: unknown) => unknown): Fields =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, map(value)]));

const hasName = (value: object, name: string): value is Fields & object =>
  (value as { lg_name?: unknown }).lg_name === name;

/** By its fields: a bundler gives classes other names. A class that adds some is another one. */
const isDocument = (value: object): value is { pageContent: string; metadata: object; id?: unknown } => {
  const { pageContent, metadata } = value as { pageContent?: unknown; metadata?: unknown };
  const isOne = typeof pageContent === "string" && typeof metadata === "object" && metadata !== null;
  return isOne && Object.keys(value).every((name) => ["pageContent", "metadata", "id"].includes(name));
};
