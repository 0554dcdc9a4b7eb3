import { openHoldfast } from "@holdfast/core";
import {
  type Following,
  type Key,
  keyFrom,
  SCOPES,
  serve,
  startTraces,
  startWebhook,
} from "@holdfast/server";
import type { Command } from "commander";
import { loadApp } from "../app.ts";
import { type Common, wholeNumber } from "../connected.ts";
import { logOn } from "../log.ts";
import { stopped } from "../stopped.ts";
import type { Terminal } from "../terminal.ts";

interface Options extends Common {
  readonly port: number;
  readonly host: string;
  readonly dev?: true;
  readonly app?: string;
  readonly redact?: readonly string[];
  readonly otlp?: string;
  readonly webhook?: string;
}

export function addServe(holdfast: Command, terminal: Terminal): void {
  holdfast
    .command("serve")
    .description(
      "serve the control API until it is told to stop; HOLDFAST_KEY is a key that may do everything",
    )
    .option("--port <n>", "0 takes any that is free", wholeNumber("--port"), 7420)
    .option("--host <address>", "0.0.0.0 for all of them", "127.0.0.1")
    .option("--dev", "on your own machine: no key is needed")
    .option("--app <file>", "registers agents: their runs can be replayed from here; none is worked on")
    .option("--redact <path...>", "what no response shows: input.card.number")
    .option("--otlp <url>", "send traces to this collector: http://collector:4318/v1/traces")
    .option("--webhook <url>", "post questions, doubts and ends here; HOLDFAST_WEBHOOK_SECRET signs them")
    .action(async (_: unknown, command: Command) => {
      const {
        database,
        port,
        host,
        dev = false,
        app,
        redact = [],
        otlp,
        webhook,
      } = command.optsWithGlobals<Options>();
      const hf =
        app === undefined
          ? await openHoldfast({ ...(database === undefined ? {} : { database }), migrate: dev })
          : await loadApp(app, database, { migrate: dev });
      try {
        const log = logOn(terminal);
        const server = await serve(hf, { keys: keysIn(terminal), port, hostname: host, dev, redact, log });
        const following: Following[] = [];
        if (otlp !== undefined) following.push(await startTraces(hf, { url: otlp }));
        if (webhook !== undefined) {
          const secret = terminal.env.HOLDFAST_WEBHOOK_SECRET ?? "";
          following.push(await startWebhook(hf, { name: webhook, url: webhook, secret }));
        }
        terminal.err(`Holdfast serves at ${server.url}\n`);
        await stopped(terminal.stop);
        await Promise.all(following.map((each) => each.stop()));
        await server.close();
      } finally {
        await hf.close();
      }
    });
}

function keysIn({ env }: Terminal): Key[] {
  return env.HOLDFAST_KEY ? [keyFrom("HOLDFAST_KEY", SCOPES, env.HOLDFAST_KEY)] : [];
}
