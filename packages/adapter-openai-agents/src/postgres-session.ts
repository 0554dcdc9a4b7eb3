import { randomUUID } from "node:crypto";
import type { AgentInputItem } from "@openai/agents";
import { keyOfCall } from "./key.ts";

/** What of a `pg.Pool` or a client is used. */
export interface Queryable {
  query(text: string, values?: unknown[]): Promise<{ readonly rows: readonly unknown[] }>;
}

export interface PostgresSessionOptions {
  /** Which conversation: yours to choose, and the same in every process. */
  readonly sessionId: string;
  /** Where it is kept: a `pg.Pool`, on the ledger's database or any other. */
  readonly pool: Queryable;
  /** Create the table if it is not there. False for roles that may not. Default true. */
  readonly migrate?: boolean;
}

// One transaction, since it is one query without parameters. The lock is for processes that begin side by side.
const MIGRATE = /* sql */ `
select pg_advisory_xact_lock(hashtext('holdfast_agents'));
create schema if not exists holdfast_agents;
create table if not exists holdfast_agents.session_items (
  session_id text   not null,
  seq        bigint not null generated always as identity,
  key        text   not null,
  position   bigint not null,
  item       text   not null,
  primary key (session_id, seq),
  unique (session_id, key, position)
)`;

const ITEMS = /* sql */ `
select item
  from (select seq, item
          from holdfast_agents.session_items
         where session_id = $1
         order by seq desc
         limit $2) as latest
 order by seq`;

const ADD = /* sql */ `
insert into holdfast_agents.session_items (session_id, key, position, item)
select $1, $2, n, item
  from unnest($3::text[]) with ordinality as added (item, n)
 order by n
on conflict (session_id, key, position) do nothing`;

const POP = /* sql */ `
delete from holdfast_agents.session_items
 where session_id = $1
   and seq = (select max(seq) from holdfast_agents.session_items where session_id = $1)
returning item`;

const CLEAR = /* sql */ `
delete from holdfast_agents.session_items
 where session_id = $1`;

/** Pools whose table is known to be there. */
const migrated = new WeakMap<Queryable, Promise<unknown>>();

/**
 * A conversation in Postgres, for the `session` option of `run`. Items that a run adds carry the idempotency key of its
 * call: however often it is made, they are added once.
 */
export class PostgresSession {
  readonly #sessionId: string;
  readonly #pool: Queryable;
  readonly #migrate: boolean;

  constructor({ sessionId, pool, migrate = true }: PostgresSessionOptions) {
    this.#sessionId = sessionId;
    this.#pool = pool;
    this.#migrate = migrate;
  }

  async getSessionId(): Promise<string> {
    return this.#sessionId;
  }

  /** The items in order, or the last `limit` of them. */
  async getItems(limit?: number): Promise<AgentInputItem[]> {
    return await this.#items(ITEMS, [this.#sessionId, limit === undefined ? null : Math.max(limit, 0)]);
  }

  async addItems(items: AgentInputItem[]): Promise<void> {
    if (items.length === 0) return;
    const texts = items.map((item) => JSON.stringify(item));
    await this.#query(ADD, [this.#sessionId, keyOfCall() ?? randomUUID(), texts]);
  }

  /** Takes the last item away. */
  async popItem(): Promise<AgentInputItem | undefined> {
    const [item] = await this.#items(POP, [this.#sessionId]);
    return item;
  }

  async clearSession(): Promise<void> {
    await this.#query(CLEAR, [this.#sessionId]);
  }

  async #items(sql: string, values: unknown[]): Promise<AgentInputItem[]> {
    const rows = await this.#query(sql, values);
    return rows.map((row) => JSON.parse((row as { item: string }).item));
  }

  async #query(sql: string, values: unknown[]): Promise<readonly unknown[]> {
    if (this.#migrate) await this.#migrated();
    return (await this.#pool.query(sql, values)).rows;
  }

  async #migrated(): Promise<void> {
    const known = migrated.get(this.#pool) ?? this.#pool.query(MIGRATE);
    migrated.set(this.#pool, known);
    try {
      await known;
    } catch (error) {
      migrated.delete(this.#pool);
      throw error;
    }
  }
}
