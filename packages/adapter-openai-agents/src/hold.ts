import { current, type Port } from "@holdfast/core";

/** What holds one call of `run`: the lane that it was entered in, and what was found in it. */
export interface Hold {
  readonly port: Port;
  /** The tools that were held, by type and name: a request may tell a model of no other. */
  readonly tools: Set<string>;
  /** The SDK's class for token counts, of the copy that the user has. */
  usage: (new (counts: object) => object) | undefined;
}

/** A lane is known by its port: what runs deeper, in the body of a tool or a model, has another one. */
const holds = new WeakMap<Port, Hold>();

/** Opens the hold of the lane that was just entered. */
export function openHold(port: Port): Hold {
  const hold: Hold = { port, tools: new Set(), usage: undefined };
  holds.set(port, hold);
  return hold;
}

export function currentHold(): Hold | undefined {
  const port = current();
  return port && holds.get(port);
}

export const holdOf = (port: Port): Hold | undefined => holds.get(port);
