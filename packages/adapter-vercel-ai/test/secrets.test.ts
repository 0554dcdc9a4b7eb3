import { randomUUID } from "node:crypto";
import { openHoldfast, step } from "@holdfast/core";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { freshDatabase } from "../../../test/fresh-database.ts";
import { withDurability } from "../src/index.ts";
import { finishPart } from "./part-model.ts";
import { stepCount, type Version, versions } from "./versions.ts";
import { newRunId } from "./workbench.ts";

/** Planted, each in one place. */
const planted = () => `planted-${randomUUID()}`;
const inEnvironment = planted();
process.env.ACME_API_KEY = inEnvironment;
let database: Awaited<ReturnType<typeof freshDatabase>>;
let pool: pg.Pool;
beforeAll(async () => {
  database = await freshDatabase();
  pool = new pg.Pool({ connectionString: database.url });
  pool.on("error", () => {});
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});

const said: string[] = [];
beforeEach(() => {
  const hear = (...words: unknown[]) => {
    said.push(
      words.map((word) => (word instanceof Error ? `${word.stack}` : (JSON.stringify(word) ?? ""))).join(" "),
    );
    return true;
  };
  for (const method of ["log", "info", "warn", "error", "debug"] as const)
    vi.spyOn(console, method).mockImplementation(hear);
  vi.spyOn(process.stdout, "write").mockImplementation(hear);
  vi.spyOn(process.stderr, "write").mockImplementation(hear);
  vi.spyOn(process, "emitWarning").mockImplementation(hear);
});
afterEach(() => void vi.restoreAllMocks());

/** An error as a provider throws one: with the request and the answer attached, and quoted in its text. */
function apiError(secrets: readonly string[]): Error {
  const [key, header, cookie, query] = secrets as [string, string, string, string];
  return Object.assign(
    new Error(
      `Incorrect key ${inEnvironment}: GET https://api.test/v1?key=${query} with Authorization: Bearer ${key}`,
    ),
    {
      url: `https://user:${key}@api.test/v1?key=${query}`,
      requestHeaders: { "x-own-header": header },
      responseHeaders: { "set-cookie": cookie, "retry-after-ms": "1" },
      isRetryable: true,
      // As the SDK marks its own errors.
      [Symbol.for("vercel.ai.error")]: true,
      [Symbol.for("vercel.ai.error.AI_APICallError")]: true,
      cause: Object.assign(new Error(`bearer ${key}`), { config: { headers: { authorization: header } } }),
    },
  );
}

/** Fails once, then calls the tool, then answers. */
function failingModel({ major }: Version, secrets: readonly string[]) {
  let asked = 0;
  const { finishReason, usage } = finishPart({ major } as Version, "stop");
  return {
    specificationVersion: `v${major - 3}`,
    provider: "scripted",
    modelId: "leaking",
    supportedUrls: {},
    async doGenerate() {
      if (++asked === 1) throw apiError(secrets); // is tried again by the SDK
      if (asked === 2) {
        const content = [{ type: "tool-call", toolCallId: "c1", toolName: "look_up", input: "{}" }];
        return { content, finishReason, usage, warnings: [] };
      }
      return { content: [{ type: "text", text: "done" }], finishReason, usage, warnings: [] };
    },
  };
}

describe.each(versions)("$name", (version) => {
  const ai = withDurability(version.ai);

  test("a secret planted in headers, provider options, errors or the environment is nowhere in a dump or a log", async () => {
    const secrets = Array.from({ length: 10 }, planted);
    const [header, option, optionHeader, ...more] = secrets as [string, string, string, ...string[]];
    const tries2 = { attempts: 2, firstMs: 1 };
    const hf = await openHoldfast({
      database: pool,
      tools: { look_up: { effect: "read", retry: tries2 } },
    });
    const runId = newRunId();
    let tries = 0;
    const tools = {
      look_up: ai.tool({
        inputSchema: z.object({}),
        execute: async () => {
          if (++tries === 1) throw apiError(more.slice(0, 4)); // is tried again: its text stands in a note
          throw apiError(more.slice(3)); // is its outcome
        },
      }),
    };
    const work = async () => {
      await step("other", () => Promise.reject(apiError(more)), { effect: "once" }).catch(() => {});
      const { text } = await ai.generateText({
        model: failingModel(version, secrets),
        prompt: "go",
        tools,
        stopWhen: stepCount(version.ai, 3),
        headers: { authorization: `Bearer ${header}`, "x-own": header },
        providerOptions: { acme: { apiKey: option, headers: { "x-own": optionHeader }, user: "ana" } },
      });
      throw apiError([...more, text]);
    };
    await hf.run(runId, work).catch(() => {});

    const dump = await dumpOf();
    expect(dump).toContain(runId);
    expect(dump).toContain("ana"); // what is no secret is kept
    for (const text of [dump, said.join("\n")]) {
      for (const secret of [...secrets, inEnvironment]) expect(text).not.toContain(secret);
    }
    const entries = await hf.entries(runId);
    await hf.close();
    expect(entries.filter((entry) => entry.kind === "note" && entry.note === "retried")).toHaveLength(1);
  });
});

/** Every row of every table, as text. */
async function dumpOf(): Promise<string> {
  const tables = await pool.query("select tablename from pg_tables where schemaname = 'holdfast'");
  const dumped: string[] = [];
  for (const { tablename } of tables.rows) {
    const { rows } = await pool.query(`select t::text as row from holdfast.${tablename} t`);
    dumped.push(...rows.map(({ row }) => row));
  }
  return dumped.join("\n");
}
