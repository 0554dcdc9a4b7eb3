import { expect } from "vitest";
import { HoldfastError } from "../errors.ts";
import type { Holdfast } from "../holdfast.ts";
import { idempotencyKey } from "../inside.ts";
import type { LedgerEntry } from "../read-ledger.ts";
import type { Rows } from "./policy-rows.ts";

const policy = [{ name: "money", tool: "pay", then: "ask" }] as const;
const TOOLS = ["look", "pay", "research", "note", "wire"] as const;

/** The rows of the adapter contract that are about runs that begin with the first entries of another. */
export function forkRows({ row, open, newId, agent: make }: Rows): void {
  /** An agent that looks and pays in one answer, asks another agent in a tool, and wires; and what has been done. */
  function working() {
    const done: { readonly did: string; readonly key: string }[] = [];
    const does = (did: string) => () => {
      done.push({ did, key: idempotencyKey() });
      return { did };
    };
    const inner = make({
      turns: [{ calls: [{ name: "note", input: {} }] }, { text: "noted" }],
      tools: { note: does("note") },
    });
    const research = async () => {
      done.push({ did: "research", key: idempotencyKey() });
      return { said: await inner.run() };
    };
    const outer = make({
      turns: [
        {
          calls: [
            { name: "look", input: { n: 1 } },
            { name: "pay", input: { cents: 500 } },
          ],
        },
        { calls: [{ name: "research", input: {} }] },
        { calls: [{ name: "wire", input: {} }] },
        { text: "done" },
      ],
      tools: { look: does("look"), pay: does("pay"), research, wire: does("wire") },
    });
    return { run: outer.run, done, asked: () => outer.asked() + inner.asked() };
  }

  /** Runs it to its end, and approves what it asks. */
  async function toItsEnd(hf: Holdfast, id: string, run: () => Promise<string>): Promise<string> {
    try {
      return await hf.run(id, run);
    } catch (error) {
      if (!HoldfastError.is(error, "RUN_WAITING") || error.details.waitingOn !== "approval") throw error;
      const [question = ""] = error.details.questions;
      await hf.questions.answer(question, { approve: true, by: "ana" });
      return await hf.run(id, run);
    }
  }

  row("a fork at every entry repeats no call and no effect, or says why there can be none", async () => {
    const { run, done, asked } = working();
    const [hf, id] = [await open({ policy }), newId()];
    expect(await toItsEnd(hf, id, run)).toBe("done");
    const entries = await hf.entries(id);
    expect([asked(), done.map(({ did }) => did).sort()]).toEqual([6, [...TOOLS].sort()]);

    const refused: string[] = [];
    for (const { seq } of entries) {
      const forked = await hf.fork(id, { at: seq }).catch((error: HoldfastError) => error);
      if (forked instanceof Error) {
        refused.push(forked.message);
        continue;
      }
      const [askedBefore, doneBefore] = [asked(), done.length];
      expect(await toItsEnd(hf, forked.id, run)).toBe("done");
      const prefix = entries.slice(0, seq).filter((entry) => entry.kind === "observation");
      const did = done.slice(doneBefore).map((each) => each.did);
      expect({ seq, did: did.sort() }).toEqual({ seq, did: TOOLS.filter(isNotIn(prefix)).sort() });
      const answers = prefix.filter(({ call }) => call === "model").length;
      expect({ seq, asked: asked() - askedBefore }).toEqual({ seq, asked: 6 - answers });
    }
    expect(new Set(done.map(({ key }) => key)).size).toBe(done.length);
    expect(refused.length).toBeGreaterThan(0);
    const why = /the call \S+ is under way, and may happen; it can be forked at \d+/;
    expect(refused.filter((message) => !why.test(message))).toEqual([]);
  });
}

const isNotIn = (prefix: readonly LedgerEntry[]) => (tool: string) =>
  !prefix.some((entry) => "name" in entry && entry.name === tool);
