import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const cli = fileURLToPath(import.meta.resolve("@langchain/langgraph-cli/dist/cli/cli.mjs"));
const folder = fileURLToPath(new URL(".", import.meta.url));

/** The LangGraph dev server (`langgraphjs dev`) in a real process, serving what langgraph.json of this folder names. */
export class DevServer {
  readonly #url: string;
  readonly #process: ChildProcess;

  private constructor(url: string, child: ChildProcess) {
    this.#url = url;
    this.#process = child;
  }

  /** Resolves when it serves its graphs. */
  static async start(env: Readonly<Record<string, string>>): Promise<DevServer> {
    const port = await freePort();
    const child = spawn(process.execPath, [cli, "dev", "--no-browser", "--port", String(port)], {
      cwd: folder,
      env: {
        ...process.env,
        NODE_OPTIONS: "--conditions=@holdfast/source",
        LANGGRAPH_CLI_NO_ANALYTICS: "1",
        ...env,
      },
      stdio: ["ignore", "pipe", "inherit"],
      detached: true, // a group of its own: the server is a process below the one that watches it
    });
    if (!child.stdout) throw new Error("a server without output");
    const said: string[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      said.push(line);
      if (!line.includes("Server running at")) continue;
      child.stdout.resume();
      return new DevServer(`http://localhost:${port}`, child);
    }
    throw new Error(`the server ended before it served:\n${said.join("\n")}`);
  }

  /** Asks the server's HTTP API. */
  async ask(method: "POST" | "DELETE", path: string, body: object = {}): Promise<unknown> {
    const headers = { "content-type": "application/json" };
    const response = await fetch(this.#url + path, { method, headers, body: JSON.stringify(body) });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path} answers ${response.status}: ${text}`);
    return text && JSON.parse(text);
  }

  /** SIGKILL, to it and to what it has started. */
  async kill(): Promise<void> {
    const { pid } = this.#process;
    if (pid === undefined || this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, "exit");
    process.kill(-pid, "SIGKILL");
    await exited;
  }
}

const saved = new URL(".langgraph_api/", import.meta.url);

/** What the server has saved of its threads and runs: it does so three seconds after it last changed something. */
export const savedByServer = (): Promise<string> =>
  readFile(new URL(".langgraphjs_ops.json", saved), "utf8").catch(() => "");

export const forgetSaved = (): Promise<void> => rm(saved, { recursive: true, force: true });

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "localhost");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (typeof address !== "object" || address === null) throw new Error("no port");
  return address.port;
}
