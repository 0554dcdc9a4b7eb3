import { HoldfastError } from "@holdfast/core";

/** `step=json`. A step's key may hold = itself: what comes behind the first one that leaves JSON is the output. */
export function outputOf(text: string): [string, { output: unknown }] {
  for (let cut = text.indexOf("="); cut >= 0; cut = text.indexOf("=", cut + 1)) {
    const said = text.slice(cut + 1);
    if (isJson(said)) return [text.slice(0, cut), { output: JSON.parse(said) }];
  }
  throw new HoldfastError("INVALID_ARGUMENT", {
    argument: "--output",
    why: `must be step=JSON, not ${text}`,
  });
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
