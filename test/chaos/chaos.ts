import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type Holdfast, openHoldfast } from "@holdfast/core";
import { startEmbeddedPostgres } from "@holdfast/embedded-postgres";
import { Child } from "../process.ts";
import { type Account, accountOf, happened } from "./account.ts";
import { registerAgent } from "./agent.ts";
import { openRelay } from "./relay.ts";

export interface Chaos {
  /** How long processes are killed and stopped. */
  readonly seconds: number;
  readonly runs: number;
  readonly workers: number;
  readonly leaseSeconds?: number;
  readonly killEveryMs?: number;
  /** Called with what is done to whom. */
  readonly log?: (line: string) => void;
}

export interface Disturbed extends Account {
  readonly kills: number;
  readonly stops: number;
  readonly restarts: number;
  /** Doubts that were left to a person, who looked at what the world says. */
  readonly decided: number;
}

/**
 * Runs of a fleet while its processes are killed, stopped for longer than their leases and continued, and the database is
 * restarted in the middle. Then everybody is left in peace, doubts are decided by what the world says, and the account is made.
 */
export async function chaos({
  seconds,
  runs,
  workers,
  leaseSeconds = 3,
  killEveryMs = 2_000,
  log = () => {},
}: Chaos): Promise<Disturbed> {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-chaos-"));
  const data = join(folder, "postgres");
  let server = await startEmbeddedPostgres({ folder: data });
  const relay = await openRelay(server.url);
  const spawn = async () => {
    const child = new Child("./chaos/worker.ts", [relay.url, folder, String(leaseSeconds)]);
    await child.says("working");
    return child;
  };
  const holdfast = await openHoldfast({ database: relay.url, leaseSeconds, graceSeconds: 0.5 });
  try {
    const agent = registerAgent(holdfast, folder);
    const fleet = await Promise.all(Array.from({ length: workers }, spawn));
    const account = { kills: 0, stops: 0, restarts: 0, decided: 0 };
    const until = performance.now() + seconds * 1000;
    const isOver = () => performance.now() >= until;
    const any = () => Math.floor(Math.random() * fleet.length);

    const start = async () => {
      const ids: string[] = [];
      for (let n = 0; n < runs; n++) {
        ids.push((await holdfast.start(agent, n, { key: `run ${n}` })).id);
        await pause((seconds * 600) / runs);
      }
      return ids;
    };
    const kill = async () => {
      for (;;) {
        await pause(killEveryMs);
        if (isOver()) return;
        const i = any();
        log(`SIGKILL to worker ${i}`);
        await fleet[i]?.kill("SIGKILL");
        account.kills++;
        fleet[i] = await spawn();
      }
    };
    const stop = async () => {
      while (!isOver()) {
        await pause(1_500);
        const child = fleet[any()];
        log("SIGSTOP for longer than its lease");
        await child?.kill("SIGSTOP");
        await pause(leaseSeconds * 1_300);
        await child?.kill("SIGCONT");
        account.stops++;
      }
    };
    const restart = async () => {
      await pause(seconds * 500);
      log("the database is restarted");
      await server.stop();
      server = await startEmbeddedPostgres({ folder: data });
      relay.leadTo(server.url);
      account.restarts++;
    };
    const [ids] = await Promise.all([start(), kill(), stop(), restart()]);

    log("peace");
    // Nobody who was left behind may act any more on what a person is about to decide.
    await Promise.all(fleet.map((child) => child.kill("SIGKILL")));
    const calm = await Promise.all(Array.from({ length: workers }, spawn));
    account.decided = await decideUntilDone(holdfast, folder, ids);
    await Promise.all(calm.map((child) => child.kill("SIGKILL")));
    return { ...account, ...(await accountOf(holdfast, folder, ids)) };
  } finally {
    await holdfast.close();
    await relay.close();
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs go on until each has ended; what is in doubt is decided as the world says. Gives back how many that were. */
async function decideUntilDone(holdfast: Holdfast, folder: string, ids: readonly string[]): Promise<number> {
  let decided = 0;
  const open = new Set(ids);
  while (open.size > 0) {
    for (const id of open) {
      const { status, waitingOn } = await holdfast.runs.get(id);
      if (status !== "queued" && status !== "running" && status !== "waiting") open.delete(id);
      if (waitingOn !== "doubt") continue;
      for (const { runId, step, name } of await holdfast.doubts.list({ runId: id })) {
        const resolved = happened(folder, runId, name)
          ? { happened: Number(name.split(" ")[1]) }
          : { didNotHappen: true as const };
        await holdfast.doubts.resolve(runId, step, resolved, { by: "whoever looked" });
        decided++;
      }
    }
    await pause(100);
  }
  return decided;
}
