import { type Holdfast, openHoldfast, step } from "@holdfast/core";
import { afterAll, beforeAll } from "vitest";
import { freshDatabase } from "../../../test/fresh-database.ts";
import { newKey, type Scope, type ServeOptions, type Server, serve } from "../src/index.ts";

/** What a request came to. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: what JSON says is what the test expects of it
  readonly body: any;
}

const made = {
  ana: newKey("ana", ["read", "operate", "approve"]),
  reader: newKey("reader", ["read"]),
  operator: newKey("operator", ["operate"]),
  approver: newKey("approver", ["approve"]),
} as const satisfies Record<string, ReturnType<typeof newKey> & { key: { scopes: readonly Scope[] } }>;

export type Name = keyof typeof made;
export const keyOf = (name: Name): string => made[name].text;
export const keys = Object.values(made).map(({ key }) => key);

/** A database, a Holdfast on it, and its API behind a real server, for the tests of one file. */
export function useServer(options: ServeOptions = {}) {
  let database: Awaited<ReturnType<typeof freshDatabase>>;
  let hf: Holdfast;
  let server: Server;

  beforeAll(async () => {
    database = await freshDatabase();
    hf = await openHoldfast({ database: database.url });
    server = await serve(hf, { keys, port: 0, ...options });
  });
  afterAll(async () => {
    await server?.close();
    await hf?.close({ graceSeconds: 0 });
    await database?.drop();
  });

  /** Asks as ana, who may do everything, unless said otherwise. */
  async function ask(
    method: string,
    path: string,
    {
      as = "ana",
      body,
      headers = {},
    }: { as?: Name | null; body?: unknown; headers?: Record<string, string> } = {},
  ): Promise<Answer> {
    const response = await fetch(server.url + path, {
      method,
      headers: {
        ...(as === null ? {} : { authorization: `Bearer ${keyOf(as)}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = /[/+]json/.test(response.headers.get("content-type") ?? "");
    return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
  }

  return {
    get hf() {
      return hf;
    },
    get url() {
      return server.url;
    },
    get database() {
      return database.url;
    },
    ask,
    get: (path: string, as?: Name | null) => ask("GET", path, as === undefined ? {} : { as }),
    post: (path: string, body: unknown, as?: Name) =>
      ask("POST", path, as === undefined ? { body } : { body, as }),
  };
}

let ids = 0;
export const newId = () => `run ${++ids}/é`;
export const pathOf = (id: string) => `/v1/runs/${encodeURIComponent(id)}`;

/** A run that has ended, with a step of that many. */
export async function aRun(
  hf: Holdfast,
  { id = newId(), steps = 1, ...options }: RunOf = {},
): Promise<string> {
  await hf.run(
    id,
    async () => {
      for (let i = 0; i < steps; i++) await step(`step ${i}`, () => i, { effect: "idempotent", input: i });
      return { done: true };
    },
    { input: { order: 42 }, agent: "support", ...options },
  );
  return id;
}

interface RunOf {
  readonly id?: string;
  readonly steps?: number;
  readonly agent?: string;
  readonly tags?: readonly string[];
  readonly input?: unknown;
}

/** A run with a call in doubt: its time limit was over before it had answered. */
export async function aDoubt(hf: Holdfast, id = newId()): Promise<{ id: string; step: string }> {
  const waiting = hf.run(id, () =>
    step("send_wire", () => new Promise(() => {}), { timeoutMs: 1, input: { cents: 5 } }),
  );
  await waiting.catch(() => {});
  const [doubt] = await hf.doubts.list({ runId: id });
  if (!doubt) throw new Error("the run has no doubt");
  return { id, step: doubt.step };
}
