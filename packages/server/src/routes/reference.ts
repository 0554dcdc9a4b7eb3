import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { router } from "../router.ts";

const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Holdfast: REST API</title>
<link rel="stylesheet" href="reference/swagger-ui.css">
<div id="reference"></div>
<script src="reference/swagger-ui-bundle.js"></script>
<script src="reference/start.js"></script>
</html>
`;

const START = `SwaggerUIBundle({ url: "v1/openapi.json", dom_id: "#reference", deepLinking: true });`;

const SCRIPT = "text/javascript; charset=utf-8";
const FILES = { "swagger-ui.css": "text/css; charset=utf-8", "swagger-ui-bundle.js": SCRIPT } as const;

/** The reference page: Swagger UI over the OpenAPI document, all of it from this server. */
export function referenceRoutes() {
  const app = router()
    .get("/reference", (c) => c.html(PAGE))
    .get("/reference/start.js", (c) => c.body(START, 200, { "content-type": SCRIPT }));
  for (const [file, type] of Object.entries(FILES)) {
    app.get(`/reference/${file}`, async (c) => {
      const text = await readFile(join(folder(), file), "utf8");
      return c.body(text, 200, { "content-type": type, "cache-control": "public, max-age=3600" });
    });
  }
  return app;
}

/** The build puts Swagger UI's files beside the server's own: its package brings more than a server should install. */
function folder(): string {
  const built = fileURLToPath(new URL("./reference/", import.meta.url));
  if (existsSync(built)) return built;
  return dirname(createRequire(import.meta.url).resolve("swagger-ui-dist/package.json"));
}
