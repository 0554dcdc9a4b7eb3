import { randomUUID } from "node:crypto";
import { idempotencyKey } from "@holdfast/core";
import type { Mail, Order, Refund } from "./payments.ts";

/** The shop's API, as its agents see it. */
export const findOrder = (orderId: string): Promise<Order> => call("GET", `/orders/${orderId}`);
export const refundOrder = (refund: { orderId: string; cents: number }): Promise<Refund> =>
  call("POST", "/refunds", refund);
export const sendMail = (mail: Mail): Promise<{ sent: true }> => call("POST", "/mails", mail);

async function call<T>(method: "GET" | "POST", path: string, body?: unknown): Promise<T> {
  const response = await fetch(`${process.env.SHOP_URL}${path}`, {
    method,
    headers: { "content-type": "application/json", "idempotency-key": keyOfThisCall() },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T; // The one service that answers here is payments.ts, which has the types.
}

// Without Holdfast: a key for each call, as payment SDKs make it by themselves. It protects against a lost answer,
// not against a lost process: the next process knows nothing of it.
const keyOfThisCall = (): string => (process.env.DEMO_UNPROTECTED ? randomUUID() : idempotencyKey());
