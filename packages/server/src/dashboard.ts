import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { serveStatic } from "@hono/node-server/serve-static";
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Env } from "./router.ts";

/** Paths that are the API's own: what is not found there is no page. */
const OWN = /^\/(v1|reference|healthz|readyz|metrics)(\/|$)/;

/** Where the build puts the dashboard: beside the server's own files. Undefined where it has not been built. */
export function builtDashboard(): string | undefined {
  const folders = ["./dashboard/", "../dist/dashboard/"].map((at) =>
    fileURLToPath(new URL(at, import.meta.url)),
  );
  return folders.find((folder) => existsSync(`${folder}index.html`));
}

/** Serves the dashboard's files, and its index.html at every other path: the page reads the path itself. */
export function serveDashboard(app: OpenAPIHono<Env>, folder: string): void {
  const file = serveStatic<Env>({ root: folder });
  const index = serveStatic<Env>({ root: folder, path: "index.html" });
  app.get("*", async (c, next) => {
    if (OWN.test(c.req.path)) return await next();
    return await file(c, async () => {
      const isPage = c.req.header("accept")?.includes("text/html") ?? false;
      if (isPage) c.res = (await index(c, next)) ?? (await c.notFound());
      else await next();
    });
  });
}
