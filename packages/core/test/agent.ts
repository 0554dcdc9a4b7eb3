import { type Call, current, type EmittedCall, type Holdfast, type Live, type Port } from "../src/index.ts";
import { must } from "../src/must.ts";

/** What a framework would see of Holdfast here: tests call tools and models without one. */
export const port = (): Port => must(current(), "a run");

/** A tool call as an adapter announces it: without an id, nobody asked for it. */
export const tool = <T>(
  name: string,
  input: unknown,
  work: (live: Live<T>) => T | PromiseLike<T>,
  more: Partial<Call<T>> = {},
): Promise<T> => port().step<T>({ kind: "tool", name, input, ...more }, work);

/** A model call whose answer asks for these tool calls. */
export const plans = (prompt: string, ...calls: readonly EmittedCall[]): Promise<string> =>
  port().step({ kind: "model", name: "acme/m", input: { prompt }, emits: () => calls }, () => "planned");

/** What is told of a run after the entries that every run begins with. */
export async function told(holdfast: Holdfast, id: string): Promise<string[]> {
  const entries = (await holdfast.entries(id)).slice(2);
  return entries.map((entry) => {
    const what = entry.kind === "note" ? `note ${entry.note}` : entry.kind;
    return "step" in entry ? `${what} ${entry.step}` : what;
  });
}

/** What a call came to: its value, or the code or message of its error. */
export const outcomeOf = (calling: Promise<unknown>): Promise<unknown> =>
  calling.catch((error: { code?: string; message?: string }) => error.code ?? error.message ?? error);

/** The promise, or `undefined` where it takes longer than so many milliseconds: for what must not hang. */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const bound = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  try {
    return await Promise.race([promise, bound]);
  } finally {
    clearTimeout(timer);
  }
}
