import type { Holdfast } from "@holdfast/core";
import type { Metrics } from "../metrics.ts";
import { only, router } from "../router.ts";
import { isReady } from "../store/ready.ts";

/** How long a database may take to say that it is there. */
const READY_MS = 3_000;

/** For whoever runs the server: is the process up, can it work, what does it count? */
export const healthRoutes = (hf: Holdfast, metrics: Metrics) =>
  router()
    .get("/healthz", (c) => c.json({ status: "up" }))
    .get("/readyz", async (c) => {
      const bound = new Promise<false>((resolve) => setTimeout(resolve, READY_MS, false).unref());
      const looking = hf.opened().then(({ db }) => isReady(db));
      const ready = await Promise.race([looking, bound]).catch(() => false);
      return ready ? c.json({ status: "ready" }, 200) : c.json({ status: "the database is away" }, 503);
    })
    .get("/metrics", only("read"), async (c) => {
      return c.body(await metrics.text(), 200, { "content-type": metrics.contentType });
    });
