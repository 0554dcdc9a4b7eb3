import { expect } from "vitest";
import { type Amount, NOTHING, plus } from "../src/budget/amount.ts";
import { changesOf, newTally, tally } from "../src/budget/tally.ts";
import { type Holdfast, type Live, type Prices, type Usage, usd } from "../src/index.ts";
import type { Entry } from "../src/ledger/entry.ts";
import { port } from "./agent.ts";

/** A token of output costs ten micro-dollars, and one of input nothing: what is held is ten times the output cap. */
export const prices: Prices = {
  m: { inputPerMillion: 0, outputPerMillion: usd(10) },
};

/** What a model has reported that has put out so much. */
export const used = (outputTokens: number): Usage => ({ inputTokens: 100, outputTokens });

export interface Asks {
  /** The output cap of the request. */
  readonly max?: number;
  /** What the model reports. Default: half of what it may say, as far as it is capped. */
  readonly uses?: number | undefined;
  readonly model?: string;
  readonly effect?: "once";
}

/** Asks a model that puts out what it is told to, and gives back the output cap that it was asked with. */
export const ask = (
  prompt: string,
  { max, uses = 10, model = "m", effect }: Asks = {},
  work: (live: Live<unknown>) => unknown = ({ maxOutputTokens }) => maxOutputTokens,
): Promise<unknown> =>
  port().step<unknown>(
    {
      kind: "model",
      name: `acme/${model}`,
      input: { prompt },
      model: { provider: "acme", model, maxOutputTokens: max },
      usage: () => used(uses),
      effect,
    },
    work,
  );

type Sql = <Row>(text: string, values?: unknown[]) => Promise<Row[]>;

/** What the rows of a tag's budgets say is what the ledgers of all runs say, summed up: neither more nor less. */
export async function expectRowsToBeTheFold(sql: Sql, hf: Holdfast, tag: string): Promise<void> {
  const said = new Map<string, { held: Amount; spent: Amount }>();
  for (const { run_id: id } of await sql<{ run_id: string }>("select run_id from holdfast.runs")) {
    const run = newTally();
    for (const entry of (await hf.entries(id)) as Entry[]) {
      for (const { budget, held, spent } of changesOf(run, [entry], entry.epoch)) {
        const before = said.get(budget) ?? { held: NOTHING, spent: NOTHING };
        said.set(budget, { held: plus(before.held, held), spent: plus(before.spent, spent) });
      }
      tally(run, entry);
    }
  }
  const rows = await sql<Record<string, string>>("select * from holdfast.budgets where scope = $1", [
    `tag:${tag}`,
  ]);
  for (const row of rows) {
    const amount = (of: string): Amount => ({
      micros: Number(row[`${of}_micros`]),
      tokens: Number(row[`${of}_tokens`]),
      calls: Number(row[`${of}_calls`]),
    });
    const folded = said.get(String(row.budget)) ?? { held: NOTHING, spent: NOTHING };
    expect({ ...row, held: amount("held"), spent: amount("spent") }).toMatchObject(folded);
  }
  expect(rows.length).toBeGreaterThan(0);
}
