import { type Holdfast, HoldfastError, Redactor } from "@holdfast/core";
import { getConnInfo } from "@hono/node-server/conninfo";
import type { Context } from "hono";
import { bodyLimit } from "hono/body-limit";
import { HTTPException } from "hono/http-exception";
import { requestId } from "hono/request-id";
import { secureHeaders } from "hono/secure-headers";
import { rateLimiter } from "hono-rate-limiter";
import { authenticate } from "./auth.ts";
import { serveDashboard } from "./dashboard.ts";
import { Feed } from "./feed.ts";
import { KeyRing } from "./key-ring.ts";
import { checkKey, type Key } from "./keys.ts";
import { type Log, logged, silent } from "./log.ts";
import { Metrics } from "./metrics.ts";
import { problemOf, refuse } from "./problem.ts";
import { type Replay, replayHere } from "./replay.ts";
import { type Env, router } from "./router.ts";
import { budgetRoutes } from "./routes/budgets.ts";
import { commandRoutes } from "./routes/commands.ts";
import { comparingRoutes } from "./routes/comparing.ts";
import { doubtRoutes } from "./routes/doubts.ts";
import { fleetRoutes } from "./routes/fleet.ts";
import { flowRoutes } from "./routes/flows.ts";
import { healthRoutes } from "./routes/health.ts";
import { questionRoutes } from "./routes/questions.ts";
import { referenceRoutes } from "./routes/reference.ts";
import { replayingRoutes } from "./routes/replaying.ts";
import { runRoutes } from "./routes/runs.ts";
import { sessionRoutes, signInRoute } from "./routes/session.ts";
import { tailRoutes } from "./routes/tail.ts";
import { upkeepRoutes } from "./routes/upkeep.ts";
import { shownBy } from "./shown.ts";
import { lazyTables } from "./tables.ts";
import { version } from "./version.ts";
import { Watch } from "./watch.ts";

export interface ApiOptions {
  /** Who may ask, and for what, beside the keys in the database: see `newKey` and `keyFrom`. */
  readonly keys?: readonly Key[];
  /** On a developer's machine: whoever asks from the machine itself needs no key. Default false. */
  readonly dev?: boolean;
  /** Paths that no response shows, in the words of openHoldfast's `redact`: `input.card.number`, `*.headers.x-session`. */
  readonly redact?: readonly string[];
  /** The largest body of a request, in bytes. Default 1 MiB. A larger one is 413. */
  readonly maxBodyBytes?: number;
  /** Requests other than GET that one key may make in a minute. Default 600. More are 429, with Retry-After. */
  readonly writesPerMinute?: number;
  /** A folder of the files of the dashboard, with its index.html. Served at /, and at every path that is no file. */
  readonly dashboard?: string | undefined;
  /** Who replays runs. Default: this process, by the agents that are registered on the Holdfast. */
  readonly replay?: Replay;
  /** Where requests and faults are told: a pino logger. Default: nowhere. */
  readonly log?: Log;
}

/**
 * The control API of a Holdfast: a Hono app, to serve or to mount in one of your own. Throws INVALID_ARGUMENT for a key that
 * is not understood. What is behind it stops with `hf.close()`.
 */
export function createApi(hf: Holdfast, options: ApiOptions = {}) {
  const { keys = [], dev = false, redact = [], log = silent } = options;
  const { maxBodyBytes = 2 ** 20, writesPerMinute = 600 } = options;
  const tables = lazyTables(hf);
  const ring = new KeyRing(keys.map(checkKey), tables);
  const shown = shownBy(new Redactor(redact), redact.length === 0);
  const watch = new Watch(hf);
  const feed = new Feed(hf, tables);

  const app = router();
  app.use(requestId(), logged(log), secureHeaders(HEADERS));
  const limited = (limit: number, who: (c: Context<Env>) => string) =>
    rateLimiter<Env>({
      windowMs: 60_000,
      limit,
      keyGenerator: who,
      handler: (c) => refuse(c, "TOO_MANY_REQUESTS"),
    });
  const bounded = bodyLimit({ maxSize: maxBodyBytes, onError: (c) => refuse(c, "BODY_TOO_LARGE") });
  app.use("/v1/*", async (c, next) => {
    c.header("cache-control", "no-store");
    await next();
  });
  app.post("/v1/session", limited(SIGN_INS_PER_MINUTE, addressOf), bounded);
  // Before the guard: whoever signs in has nothing to show yet. By its place and not its path: the app may be mounted.
  const open = app.route("/v1", signInRoute(ring, tables));

  const guard = authenticate(ring, dev);
  app.use("/v1/*", guard);
  app.use("/metrics", guard);
  app.on(
    ["POST", "PUT", "PATCH", "DELETE"],
    "/v1/*",
    limited(writesPerMinute, (c) => c.get("caller").name),
    bounded,
  );
  app.notFound((c) => refuse(c, "NO_SUCH_ROUTE"));
  app.onError((error, c) => {
    const told = problemOf(c, error);
    if (told && told.status < 500) return told;
    if (error instanceof HTTPException) return refuse(c, "BAD_REQUEST", error.message);
    log.error({ requestId: c.get("requestId"), code: codeOf(error), err: error }, "a request failed");
    return told ?? refuse(c, "INTERNAL");
  });

  app.openAPIRegistry.registerComponent("securitySchemes", "key", { type: "http", scheme: "bearer" });
  app.doc31("/v1/openapi.json", {
    openapi: "3.1.0",
    info: { title: "Holdfast", version, description: "Look at durable agents, and steer them." },
  });

  if (options.dashboard !== undefined) serveDashboard(app, options.dashboard);
  return open
    .route("/", healthRoutes(hf, new Metrics(hf, feed)))
    .route("/", referenceRoutes())
    .route("/v1", sessionRoutes(tables))
    .route("/v1/runs", runRoutes(hf, shown))
    .route("/v1", tailRoutes(watch, feed, shown))
    .route("/v1", doubtRoutes(hf, shown))
    .route("/v1", questionRoutes(hf, shown))
    .route("/v1", comparingRoutes(hf, shown, redact))
    .route("/v1", replayingRoutes(options.replay ?? replayHere(hf, shown)))
    .route("/v1", fleetRoutes(hf))
    .route("/v1", flowRoutes(hf))
    .route("/v1", commandRoutes(hf, shown))
    .route("/v1", budgetRoutes(hf))
    .route("/v1", upkeepRoutes(hf));
}

/** From one address. */
const SIGN_INS_PER_MINUTE = 10;

/** Whose connection it is; behind a proxy that is the proxy. Mounted elsewhere than on Node, nobody's. */
function addressOf(c: Context): string {
  try {
    return getConnInfo(c).remote.address ?? "";
  } catch {
    return "";
  }
}

export type Api = ReturnType<typeof createApi>;

const codeOf = (error: unknown) => (HoldfastError.is(error) ? error.code : "INTERNAL");

/** Nothing is loaded from elsewhere, nothing is framed, and no page of another origin sees an answer. */
const HEADERS: Parameters<typeof secureHeaders>[0] = {
  contentSecurityPolicy: {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'"],
    imgSrc: ["'self'", "data:"],
    fontSrc: ["'self'"],
    connectSrc: ["'self'"],
    baseUri: ["'none'"],
    formAction: ["'self'"],
    frameAncestors: ["'none'"],
  },
  crossOriginEmbedderPolicy: true,
  referrerPolicy: "no-referrer",
  xFrameOptions: "DENY",
};
