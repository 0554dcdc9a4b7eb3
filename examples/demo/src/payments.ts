import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import pg from "pg";

/**
 * The payment service: a process and a table of its own, which know nothing of Holdfast. It honours Idempotency-Key
 * and counts requests and effects. An outbox and the orders live here as well, to spare the demo two more processes.
 */
export interface Refund {
  readonly id: string;
  readonly orderId: string;
  readonly cents: number;
  readonly key: string | null;
}

export interface Order {
  readonly orderId: string;
  readonly item: string;
  readonly cents: number;
  readonly customer: string;
}

export interface Mail {
  readonly to: string;
  readonly subject: string;
  readonly body: string;
}

export interface Stats {
  readonly requests: number; // POST /refunds, whatever came of them
  readonly refunds: number; // effects: rows in the table
  readonly mails: number;
}

/** What the process tells its parent. */
export type News =
  | { readonly at: "listening"; readonly url: string }
  | { readonly at: "refunded"; readonly refund: Refund };

// Each demo is an account of its own, so that demos on one database do not see each other's refunds.
const account = process.argv[2];
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 4 });

// One string is one transaction; the lock keeps two demos that start together from creating the table at once.
await pool.query(/* sql */ `
  select pg_advisory_xact_lock(hashtext('holdfast demo payments'));
  create schema if not exists payments;
  create table if not exists payments.demo_refunds (
    id bigint generated always as identity primary key,
    account text not null,
    order_id text not null,
    cents integer not null check (cents > 0),
    key text,
    at timestamptz not null default now(),
    unique (account, key)
  )`);

const orders: readonly Order[] = [
  { orderId: "42", item: "kettle", cents: 3900, customer: "customer@example.com" },
];
const outbox: Mail[] = [];
let requests = 0;

// A request without a key never conflicts: null is not equal to null. So each of them is an effect.
const refundOnce = /* sql */ `
  insert into payments.demo_refunds (account, order_id, cents, key) values ($1, $2, $3, $4)
  on conflict (account, key) do nothing
  returning 're_' || id as id, order_id as "orderId", cents, key`;

const refundByKey = /* sql */ `
  select 're_' || id as id, order_id as "orderId", cents, key from payments.demo_refunds
  where account = $1 and key = $2`;

const refundsOfOrder = /* sql */ `
  select 're_' || id as id, order_id as "orderId", cents, key from payments.demo_refunds
  where account = $1 and order_id = $2 order by id`;

const countRefunds = /* sql */ `select count(*)::int as refunds from payments.demo_refunds where account = $1`;

async function refund(request: IncomingMessage): Promise<Refund | undefined> {
  const { orderId, cents } = (await json(request)) as { orderId: string; cents: number };
  const key = request.headers["idempotency-key"] ?? null;
  const made = await pool.query<Refund>(refundOnce, [account, orderId, cents, key]);
  return made.rows[0] ?? (await pool.query<Refund>(refundByKey, [account, key])).rows[0];
}

/** The answer to a request; undefined where there is no such thing. */
async function answer(request: IncomingMessage): Promise<unknown> {
  const url = new URL(request.url ?? "/", "http://payments");
  const [, collection, id] = url.pathname.split("/");
  switch (`${request.method} /${collection}`) {
    case "GET /orders":
      return orders.find((order) => order.orderId === id);
    case "POST /refunds": {
      requests += 1;
      const first = requests === 1;
      const done = await refund(request);
      if (!first || !done) return done;
      // The first answer is never sent. Its caller is killed while it waits: after the effect, before it knows of it.
      tell({ at: "refunded", refund: done });
      return new Promise(() => {});
    }
    case "GET /refunds":
      return (await pool.query<Refund>(refundsOfOrder, [account, url.searchParams.get("order")])).rows;
    case "POST /mails":
      outbox.push((await json(request)) as Mail);
      return { sent: true };
    case "GET /stats": {
      const counted = await pool.query<{ refunds: number }>(countRefunds, [account]);
      return { requests, refunds: counted.rows[0]?.refunds ?? 0, mails: outbox.length } satisfies Stats;
    }
  }
}

const server = createServer((request, response) => {
  const send = (status: number, body: unknown) =>
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  answer(request).then(
    (body) => (body === undefined ? send(404, { error: "no such thing" }) : send(200, body)),
    (error: unknown) => send(500, { error: String(error) }),
  );
});

const tell = (news: News) => process.send?.(news);
server.listen(0, "127.0.0.1", () =>
  tell({ at: "listening", url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }),
);
process.once("disconnect", () => process.exit()); // The parent is gone: leave no orphan behind.
