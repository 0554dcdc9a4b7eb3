import { type Holdfast, HoldfastError } from "@holdfast/core";
import { serve as listen } from "@hono/node-server";
import { type ApiOptions, createApi } from "./api.ts";
import { builtDashboard } from "./dashboard.ts";
import { KeyRing } from "./key-ring.ts";
import { serverTables } from "./tables.ts";

export interface ServeOptions extends ApiOptions {
  /** Default 7420; 0 takes any that is free. */
  readonly port?: number;
  /** Default 127.0.0.1; a server that needs keys may take 0.0.0.0. */
  readonly hostname?: string;
}

export interface Server {
  readonly url: string;
  /** Takes no more requests, ends streams, and waits for what is under way. The Holdfast stays open. */
  close(): Promise<void>;
}

/**
 * Serves the control API, and the dashboard that comes with this package. Throws INVALID_ARGUMENT without a key, unless in development, and in development for any address
 * but this machine's.
 */
export async function serve(hf: Holdfast, options: ServeOptions = {}): Promise<Server> {
  const { port = 7420, hostname = "127.0.0.1", dev = false, keys = [] } = options;
  if (!dev && (await new KeyRing(keys, () => serverTables(hf)).isEmpty())) {
    const why = "are none: make one with `holdfast keys new`, or say dev on your own machine";
    throw new HoldfastError("INVALID_ARGUMENT", { argument: "The server's keys", why });
  }
  if (dev && hostname !== "127.0.0.1" && hostname !== "localhost" && hostname !== "::1") {
    const why = `is ${hostname}, but in development whoever reaches it may do everything: take 127.0.0.1`;
    throw new HoldfastError("INVALID_ARGUMENT", { argument: "The server's address", why });
  }
  const api = createApi(hf, { ...options, dashboard: options.dashboard ?? builtDashboard() });
  return await new Promise((resolve, reject) => {
    const server = listen({ fetch: api.fetch, port, hostname }, ({ port }) => {
      const host = hostname.includes(":") ? `[${hostname}]` : hostname;
      resolve({ url: `http://${host}:${port}`, close });
    });
    server.once("error", reject);
    const close = () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        if ("closeAllConnections" in server) server.closeAllConnections();
      });
  });
}
