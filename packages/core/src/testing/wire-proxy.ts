import { connect, createServer, type Server, type Socket } from "node:net";

/** Front-end messages after which the server does something: Query and Execute. */
const QUERY = 0x51;
const EXECUTE = 0x45;
/** Back-end message that ends an answer: ReadyForQuery. https://www.postgresql.org/docs/current/protocol-message-formats.html */
const READY = 0x5a;

export interface WireProxy {
  /** The server's address, through the proxy. */
  readonly url: string;
  /** Connections that are open right now. */
  readonly connections: number;
  /** Cuts every connection at once, as a failover does. New ones are let through. */
  cut(): void;
  /** Refuses new connections, and cuts those there are, until `mend` is called. */
  sever(): void;
  mend(): void;
  /** Resolves once so many connections have been refused since the proxy was severed. */
  refused(times: number): Promise<void>;
  /** Holds back every answer by so many milliseconds. */
  delay(ms: number): void;
  /**
   * The answer to the next statement that `matches` is lost: the server executes it, and the connection is cut before a
   * byte of the answer comes through. Gives back a promise of that moment.
   */
  loseAnswer(matches: (bytes: string) => boolean): Promise<void>;
  close(): Promise<void>;
}

/** A proxy in front of a Postgres that cuts, delays, and loses the answers of commits. It speaks no TLS. */
export async function openWireProxy(url: string): Promise<WireProxy> {
  const target = new URL(url);
  const pairs = new Set<{ client: Socket; server: Socket }>();
  let severed = false;
  let refusals = 0;
  let heard = () => {};
  let delayMs = 0;
  let losing: { matches: (bytes: string) => boolean; lost: () => void } | undefined;

  const proxy: Server = createServer((client) => {
    if (severed) {
      client.destroy();
      refusals++;
      heard();
      return;
    }
    const server = connect(Number(target.port || 5432), target.hostname);
    const pair = { client, server };
    pairs.add(pair);
    let drops: (() => void) | undefined;

    const end = () => {
      pairs.delete(pair);
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on("error", end);
      socket.on("close", end);
    }
    client.on("data", (bytes) => {
      if (losing && hasStatement(bytes) && losing.matches(bytes.toString("latin1"))) {
        drops = losing.lost;
        losing = undefined;
      }
      server.write(bytes);
    });
    server.on("data", (bytes) => {
      if (drops) {
        if (!endsAnswer(bytes)) return;
        drops();
        end();
      } else if (delayMs > 0) setTimeout(() => client.write(bytes), delayMs);
      else client.write(bytes);
    });
  });

  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const address = proxy.address();
  if (address === null || typeof address === "string") throw new Error("the proxy has no port");
  const through = new URL(url);
  through.hostname = "127.0.0.1";
  through.port = String(address.port);

  const cut = () => {
    for (const { client, server } of pairs) {
      client.destroy();
      server.destroy();
    }
  };
  return {
    url: through.href,
    get connections() {
      return pairs.size;
    },
    cut,
    sever() {
      severed = true;
      refusals = 0;
      cut();
    },
    mend() {
      severed = false;
    },
    async refused(times) {
      while (refusals < times) {
        await new Promise<void>((resolve) => {
          heard = resolve;
        });
      }
    },
    delay(ms) {
      delayMs = ms;
    },
    loseAnswer: (matches) =>
      new Promise((lost) => {
        losing = { matches, lost };
      }),
    async close() {
      cut();
      await new Promise<void>((resolve) => proxy.close(() => resolve()));
    },
  };
}

/** A chunk of the front end's may hold several messages; each has a type, and a length that counts itself. */
function hasStatement(bytes: Buffer): boolean {
  return types(bytes).some((type) => type === QUERY || type === EXECUTE);
}

function endsAnswer(bytes: Buffer): boolean {
  // ReadyForQuery is the last message of an answer: its type, its length (5), and one byte.
  return bytes.length >= 6 && bytes[bytes.length - 6] === READY && bytes.readInt32BE(bytes.length - 5) === 5;
}

function types(bytes: Buffer): number[] {
  const found: number[] = [];
  for (let at = 0; at + 5 <= bytes.length; at += 1 + bytes.readInt32BE(at + 1)) {
    found.push(bytes[at] as number);
    if (bytes.readInt32BE(at + 1) < 4) break;
  }
  return found;
}
