import { type ClientRequestOptions, hc } from "hono/client";
import type { Api } from "./api.ts";

/** A typed client of the control API: `client.v1.runs[":id"].$get({ param: { id } })`. */
export type Client = ReturnType<typeof hc<Api>>;

/** Talks to the API at `url` with a key. `options` are those of Hono's client; a `fetch` of one's own for instance. */
export const createClient = (url: string, key?: string, options: ClientRequestOptions = {}): Client =>
  hc<Api>(url, key === undefined ? options : { headers: { authorization: `Bearer ${key}` }, ...options });
