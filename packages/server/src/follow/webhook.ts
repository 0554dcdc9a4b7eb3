import { createHmac } from "node:crypto";
import { type Holdfast, HoldfastError } from "@holdfast/core";
import type { Told } from "../store/feed.ts";
import { toldAs } from "../told.ts";
import { type Following, follow } from "./follower.ts";

export interface WebhookOptions {
  /** Names its place in the database: the same name goes on where it was, also with another address. */
  readonly name: string;
  readonly url: string;
  /** With which each request is signed: `whsec_` and the key in base64, or text. A key of at least 24 bytes. */
  readonly secret: string;
  /** Kinds of entries. Default: what somebody may have to see to, and ends: `question`, `doubt`, `outcome`. */
  readonly kinds?: readonly string[];
}

const KINDS = ["question", "doubt", "outcome"];
/** In bytes. */
const SHORTEST_KEY = 24;
/** How long the other side may take to answer. */
const ANSWER_MS = 10_000;

/**
 * Posts entries as they are committed, without their values, each at least once and in order: one is tried again until it is
 * answered with 2xx. Signed as Standard Webhooks has it: `webhook-id` is the run and seq, the same each time;
 * `webhook-signature` is HMAC-SHA-256 over id, `webhook-timestamp` and body. Throws INVALID_ARGUMENT.
 */
export async function startWebhook(hf: Holdfast, options: WebhookOptions): Promise<Following> {
  const { name, url, secret, kinds = KINDS } = options;
  const refuse = (argument: string, why: string) => new HoldfastError("INVALID_ARGUMENT", { argument, why });
  if (!/^https?:/.test(URL.parse(url)?.protocol ?? ""))
    throw refuse("url", "must be an address of http or https");
  if (keyIn(secret).length < SHORTEST_KEY)
    throw refuse("secret", `must hold a key of at least ${SHORTEST_KEY} bytes`);
  return await follow(hf, `webhook:${name}`, async (entries) => {
    for (const [told, entry] of entries.entries()) {
      if (entry.isCopy || !kinds.includes(entry.kind)) continue; // a copy was told where it was written
      const error = await post(url, secret, entry);
      if (error !== undefined) return { told, error };
    }
    return { told: entries.length };
  });
}

/** Gives back what went wrong. */
async function post(url: string, secret: string, entry: Told): Promise<unknown> {
  const { runId, seq, ...fields } = toldAs(entry);
  const body = JSON.stringify({
    type: `holdfast.${entry.kind}`,
    timestamp: fields.at,
    data: { runId, seq, ...fields },
  });
  const id = `${entry.place.run}-${seq}`;
  const at = String(Math.floor(Date.now() / 1000));
  try {
    const { status } = await fetch(url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": at,
        "webhook-signature": signatureOf(secret, id, at, body),
      },
      body,
      redirect: "error",
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    return status >= 200 && status < 300 ? undefined : `answered with ${status}`;
  } catch (error) {
    return error;
  }
}

/**
 * `v1,` and the HMAC, base64: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 * `secret` as for `startWebhook`. Throws INVALID_ARGUMENT for a `whsec_` that no base64 follows.
 */
export const signatureOf = (secret: string, id: string, timestamp: string, body: string): string =>
  `v1,${createHmac("sha256", keyIn(secret)).update(`${id}.${timestamp}.${body}`).digest("base64")}`;

const IN_BASE64 = "whsec_";

function keyIn(secret: string): Buffer {
  if (!secret.startsWith(IN_BASE64)) return Buffer.from(secret);
  const text = secret.slice(IN_BASE64.length);
  const key = Buffer.from(text, "base64");
  const unpadded = (base64: string) => base64.replace(/=+$/, "");
  if (unpadded(key.toString("base64")) === unpadded(text)) return key;
  const why = `begins with ${IN_BASE64}, and no base64 follows`;
  throw new HoldfastError("INVALID_ARGUMENT", { argument: "secret", why });
}
