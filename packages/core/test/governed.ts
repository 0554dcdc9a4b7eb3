import { type Checked, current, type EmittedCall, type Governed, type Port } from "../src/index.ts";
import { must } from "../src/must.ts";

const port = (): Port => must(current(), "a run");

/** A model's answer that asks for these tool calls. */
export const answer = (calls: readonly EmittedCall[], prompt = "go") =>
  port().step({ kind: "model", name: "acme/m", input: { prompt }, emits: () => calls }, () =>
    calls.map(({ id }) => id),
  );

/** A call of a tool, as an adapter announces it. `check` is what the tool's schema says of arguments. */
export const tool = <T>(
  name: string,
  input: unknown,
  work: (input: unknown) => T,
  more: { id?: string; check?: (input: unknown) => Checked; says?: Governed["says"] } = {},
): Promise<T> => port().step<T>({ kind: "tool", name, input, ...more }, (live) => work(live.input));
