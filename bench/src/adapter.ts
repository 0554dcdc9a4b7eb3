import { type Holdfast, openHoldfast } from "@holdfast/core";
import { withDurability as holdGraph } from "@holdfast/langgraph";
import { withDurability as holdOpenAI } from "@holdfast/openai-agents";
import { withDurability as holdVercel } from "@holdfast/vercel-ai";
import * as openai from "@openai/agents";
import * as ai from "ai";
import pg from "pg";
import { agent as vercelAgent } from "./agent.ts";
import { chatGraph } from "./graph.ts";
import { print, sideBySide, takeTurns } from "./measure.ts";
import { openaiAgent } from "./openai-agent.ts";

/** An agent of so many turns, each of a model call and a tool call. */
type Agent = (turns: number) => Promise<unknown>;

interface Framework {
  readonly name: string;
  /** The framework as it is. */
  readonly bare: Agent;
  /** The same agent, its calls held where it runs inside `hf.run`. */
  readonly held: Agent;
}

const output = () => "t".repeat(500);
const go = { messages: [{ role: "user", content: "go" }] };
const heldAi = holdVercel(ai);

const frameworks: readonly Framework[] = [
  {
    name: "AI SDK",
    bare: (turns) => vercelAgent(ai, turns, output),
    held: (turns) => vercelAgent(heldAi, turns, output),
  },
  {
    name: "OpenAI Agents",
    bare: (turns) => openaiAgent(turns, output),
    held: (turns) => openaiAgent(turns, output),
  },
  {
    name: "LangGraph",
    bare: (turns) => chatGraph(turns, output).invoke(go, { recursionLimit: 2 * turns + 2 }),
    held: (turns) => holdGraph(chatGraph(turns, output)).invoke(go, { recursionLimit: 2 * turns + 2 }),
  },
];

const TURNS = 20;
const RUNS = 5;
/** A turn is a model call and a tool call, and the model answers once more. */
const CALLS = 2 * TURNS + 1;

/**
 * What Holdfast adds to a call, in plain inserts: one row of 500 bytes, prepared, autocommit, beside the agents. One agent
 * at a time; its models and tools take no time.
 */
export async function benchAdapter(url: string): Promise<void> {
  openai.setTracingDisabled(true);
  holdOpenAI(openai.Runner); // outside a run it does nothing
  process.removeAllListeners("warning"); // that the bare contestants run outside of one is what is wanted
  const pool = new pg.Pool({ connectionString: url, max: 1 });
  await pool.query("create table if not exists adapter_inserts (text text)");
  const insert = {
    name: "insert",
    text: "insert into adapter_inserts (text) values ($1)",
    values: [output()],
  };

  for (const { name, bare, held } of frameworks) {
    const open = (effect: "read" | "once") => openHoldfast({ database: url, tools: { look: { effect } } });
    const [reads, onces] = [await open("read"), await open("once")];
    let run = 0;
    const durable = (hf: Holdfast) => () =>
      hf.run(`adapter-${process.pid}-${Date.now()}-${run++}`, async () => void (await held(TURNS)));
    const calls = (agent: () => Promise<unknown>) => async () => {
      const { seconds } = await sideBySide(1, RUNS, agent);
      return { parts: RUNS * CALLS, seconds };
    };
    const rows = await takeTurns([
      { name: "plain insert", block: () => sideBySide(1, RUNS * CALLS, () => pool.query(insert)) },
      { name: `${name}, as it is`, block: calls(() => bare(TURNS)) },
      { name: `${name}, held, its tool is read`, block: calls(durable(reads)) },
      { name: `${name}, held, its tool is once`, block: calls(durable(onces)) },
    ]);
    const [inserted = 0, plain = 0, read = 0, once = 0] = rows.map(({ perSecond }) => 1000 / perSecond);
    const over = (ms: number) =>
      `${((ms - plain) / inserted).toFixed(2)} inserts (${(ms - plain).toFixed(2)} ms)`;
    print(`calls of an agent of ${TURNS} turns: ${name}`, rows, {
      "added to a call, the tool is read": over(read),
      "added to a call, the tool is once": over(once),
    });
    await Promise.all([reads.close(), onces.close()]);
  }
  await pool.query("drop table adapter_inserts");
  await pool.end();
}
