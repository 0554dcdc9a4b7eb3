import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A call of a tool, as it arrived: that it arrived is its effect. */
export interface Arrived {
  readonly run: string;
  readonly tool: string;
  /** What the tool passed on as Idempotency-Key. The same key again is the same effect. */
  readonly key: string;
}

/** What the tools of the workers reach: a service that knows nothing of runs, and lives on when a worker is killed. */
export class Downstream {
  readonly #calls: Arrived[] = [];
  readonly #withheld = new Map<string, { arrived: () => void; released: Promise<void> }>();
  readonly #server = createServer((request, response) => void this.#answer(request, response));

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The calls of a run so far, in the order they arrived. */
  calls(run: string): readonly Arrived[] {
    return this.#calls.filter((call) => call.run === run);
  }

  /** Does not answer the first call of this tool until released: its effect has happened, and its caller cannot know. */
  withhold(run: string, tool: string): { arrived: Promise<void>; release: () => void } {
    const arrived = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    this.#withheld.set(`/${run}/${tool}`, { arrived: arrived.resolve, released: released.promise });
    return { arrived: arrived.promise, release: released.resolve };
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = request.url ?? "";
    const [, run = "", tool = ""] = url.split("/");
    this.#calls.push({ run, tool, key: String(request.headers["idempotency-key"]) });
    const withheld = this.#withheld.get(url);
    this.#withheld.delete(url);
    withheld?.arrived();
    await withheld?.released;
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ done: tool }));
  }
}
