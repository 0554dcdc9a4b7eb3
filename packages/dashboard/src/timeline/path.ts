/*
 * The path of a step's key, as docs/concepts/steps-and-effects.md tells it: lanes end in `.n`, places in `#n`, tool calls
 * in `:id`, business keys in `=key`.
 */

/** What a step stands inside: a lane, or the call in whose body it was made. */
export interface Container {
  readonly path: string;
  readonly is: "lane" | "call";
  /** For people: `generateText`, the second one `generateText 2`. */
  readonly label: string;
}

/** What a step stands inside, outermost first. A model call does not contain the tool calls it asked for. */
export function containersOf(step: string): Container[] {
  const segments = step.split("/");
  const found: Container[] = [];
  for (let i = 0; i < segments.length - 1; i++) {
    const [segment = "", next = ""] = [segments[i], segments[i + 1]];
    if (segment.includes("#") && isToolCall(next)) continue;
    const path = segments.slice(0, i + 1).join("/");
    found.push({ path, is: isLane(segment) ? "lane" : "call", label: labelOf(segment) });
  }
  return found;
}

const isLane = (segment: string) => /^[^:#=]*\.\d+$/.test(segment);
const isToolCall = (segment: string) => /^[^#=]*:/.test(segment);

function labelOf(segment: string): string {
  const [, name = segment, n = "0"] = /^(.*?)[.#](\d+)$/.exec(segment) ?? /^(.*?)[:=]/.exec(segment) ?? [];
  const shown = decoded(name);
  return n === "0" ? shown : `${shown} ${Number(n) + 1}`;
}

/** Half a surrogate pair is written `%uD83D`, which is no percent-encoding: then the name is shown as it is written. */
function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
