import { hashOf } from "../json.ts";

/*
 * A step's key is the path of names that leads to it:
 *
 *   generateText.0/model#1/issue_refund:call_7/lookup#0
 *   └ a lane      │        │                   └ the first `lookup` in the lane of that tool's body
 *                 │        └ the tool call `call_7` that this answer asked for
 *                 └ the second model call in the lane
 *
 * Lanes end in `.n`, places in `#n`, tool calls in `:id`, business keys in `=key`. Names are escaped, so that a name
 * cannot pretend to be a path.
 */

/** A name, so that it cannot pretend to be a path, and no two names become one. Half a surrogate pair becomes `%uD83D`. */
function escaped(name: string): string {
  const halves = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g;
  const parts = name.split(halves).map((part) => encodeURIComponent(part).replaceAll("%20", " "));
  const between = name.match(halves) ?? [];
  return parts
    .map((part, i) => part + (i < between.length ? `%u${between[i]?.charCodeAt(0).toString(16)}` : ""))
    .join("");
}

/** The name of the row in which a lane's model calls stand. A step of that name gets another. */
export const MODEL = "model";
export const rowName = (name: string) => (name === MODEL ? "%6Dodel" : escaped(name));

const under = (path: string, segment: string) => (path === "" ? segment : `${path}/${segment}`);

export const lanePath = (parent: string, name: string, n: number) => under(parent, `${escaped(name)}.${n}`);

/** The nth call of a row in a lane. `row` is MODEL or a rowName. */
export const placeKey = (lane: string, row: string, n: number) => under(lane, `${row}#${n}`);

/** The tool call that a model's answer asked for. The id alone would not do: providers use one again in a later turn. */
export const emittedKey = (model: string, name: string, id: string) =>
  under(model, `${escaped(name)}:${escaped(id)}`);

/** The effect that a tool names by its business key, wherever and however often the model plans it. */
export const businessKey = (name: string, key: string) => `${escaped(name)}=${escaped(key)}`;

export interface ParsedKey {
  /** The lane that the step belongs to: for an emitted tool call that of the model call. */
  readonly lane: string;
  /** Where the step is one of a row: its place. */
  readonly place: { readonly name: string; readonly n: number } | undefined;
  /** The model call that asked for it, where one did. */
  readonly emitter: string | undefined;
}

export function parseKey(key: string): ParsedKey {
  const [path, last] = splitLast(key);
  const place = /^(.*)#(\d+)$/.exec(last);
  if (place)
    return { lane: path, place: { name: place[1] as string, n: Number(place[2]) }, emitter: undefined };
  if (last.includes(":")) return { lane: splitLast(path)[0], place: undefined, emitter: path };
  return { lane: path, place: undefined, emitter: undefined };
}

/** The lanes that a path passes through, outermost first, each with its parent, name and number. */
export function lanesAlong(path: string): { path: string; parent: string; name: string; n: number }[] {
  const lanes = [];
  let parent = "";
  for (const segment of path === "" ? [] : path.split("/")) {
    const here = under(parent, segment);
    const lane = /^([^:#=]*)\.(\d+)$/.exec(segment);
    if (lane) lanes.push({ path: here, parent, name: lane[1] as string, n: Number(lane[2]) });
    parent = here;
  }
  return lanes;
}

/** The name as it stands in a lane's path. */
export const laneName = escaped;

/**
 * The idempotency key: what the outside world recognises a repeat by. Derived from run and step, so that every dispatch
 * of one step carries the same and no two steps share one. 43 characters of base64url after a prefix: within the limits
 * of payment providers (Stripe takes 255).
 */
export function idempotencyKeyOf(runId: string, step: string): string {
  return `hf_${hashOf(JSON.stringify([runId, step]))}`;
}

function splitLast(path: string): [string, string] {
  const at = path.lastIndexOf("/");
  return at < 0 ? ["", path] : [path.slice(0, at), path.slice(at + 1)];
}
