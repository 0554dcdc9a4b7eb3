import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** One address for a server that changes its own when it is restarted. */
export interface Relay {
  readonly url: string;
  leadTo(url: string): void;
  close(): Promise<void>;
}

export async function openRelay(url: string): Promise<Relay> {
  let target = new URL(url);
  const sockets = new Set<Socket>();
  const relay = createServer((client) => {
    const server = connect(Number(target.port), target.hostname);
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      sockets.add(one);
      one.pipe(other);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        sockets.delete(one);
        other.destroy();
      });
    }
  }).listen(0, "127.0.0.1");
  await once(relay, "listening");
  const own = new URL(url);
  own.hostname = "127.0.0.1";
  own.port = String((relay.address() as AddressInfo).port);
  return {
    url: own.href,
    leadTo(next) {
      target = new URL(next);
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      relay.close();
      await once(relay, "close");
    },
  };
}
