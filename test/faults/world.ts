import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

/** The world outside, as the agent of these tests reaches it. */
export interface World {
  /** Does something to an order, once per key, and says what came of it. */
  act(tool: string, order: string, key: string): Promise<string>;
  read(tool: string, order: string): Promise<string>;
  /** A model's answer is paid for. */
  pay(answer: string): Promise<void>;
}

/** Where everything that happened is counted, whoever did it. */
export class CountingWorld implements World {
  /** What was done, in order, with the key it was done under. An idempotent repeat is answered and not listed again. */
  readonly effects: { readonly tool: string; readonly order: string; readonly key: string }[] = [];
  readonly paid: string[] = [];
  reads = 0;

  async act(tool: string, order: string, key: string, isDead = () => false): Promise<string> {
    await underWay(tool, order);
    if (isDead()) return await new Promise<string>(() => {});
    // A wire transfer knows no keys: asked twice, it is made twice.
    const known = tool !== "wire" && this.effects.some((effect) => effect.key === key);
    if (!known) this.effects.push({ tool, order, key });
    await underWay(tool, order);
    return `${tool} of ${order}`;
  }

  async read(tool: string, order: string): Promise<string> {
    await underWay(tool, order);
    this.reads++;
    return `${tool} of ${order}`;
  }

  async pay(answer: string): Promise<void> {
    this.paid.push(answer);
  }

  /** What was done, without the keys, which are another run's every time. */
  get done(): string[] {
    return this.effects.map(({ tool, order }) => `${tool} ${order}`).sort();
  }

  /** The truth about a call: did it happen, and with what outcome? */
  outcomeOf(key: string): string | undefined {
    const effect = this.effects.find((effect) => effect.key === key);
    return effect && `${effect.tool} of ${effect.order}`;
  }

  /** The same world as seen by a process: once that is dead it does nothing more, and hears nothing. */
  seenBy(process: { readonly isDead: boolean }): World {
    const whileAlive = async <T>(work: () => Promise<T>): Promise<T> => {
      if (process.isDead) return await new Promise<T>(() => {});
      const outcome = await work();
      return process.isDead ? await new Promise<T>(() => {}) : outcome;
    };
    return {
      act: (...args) => whileAlive(() => this.act(...args, () => process.isDead)),
      read: (...args) => whileAlive(() => this.read(...args)),
      pay: (...args) => whileAlive(() => this.pay(...args)),
    };
  }
}

/** The world behind a server, for processes that are to die. */
export class WorldServer {
  readonly world = new CountingWorld();
  readonly #server = createServer((request, response) => void this.#answer(request, response));

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = "";
    for await (const chunk of request) text += chunk;
    const args = JSON.parse(text) as [string, string, string];
    const what = request.url?.slice(1) as keyof World;
    response.end(JSON.stringify((await this.world[what](...args)) ?? null));
  }
}

/** The same world, from a process of its own. */
export function worldAt(url: string): World {
  const ask = async <T>(what: keyof World, ...args: string[]) => {
    const response = await fetch(`${url}/${what}`, { method: "POST", body: JSON.stringify(args) });
    return (await response.json()) as T;
  };
  return {
    act: (...args) => ask("act", ...args),
    read: (...args) => ask("read", ...args),
    pay: (answer) => ask("pay", answer),
  };
}

/** To and fro, each call takes a time of its own: what comes back apart is recorded apart. */
const underWay = (tool: string, order: string) => pause(1 + ((tool.length * 7 + Number(order) * 3) % 11));
