import { HoldfastError } from "../errors.ts";
import type { LedgerEntry, TailOptions } from "../read-ledger.ts";
import type { RunStatus } from "../run/status.ts";
import { currentScope, type Scope } from "../scope.ts";
import { dependOn } from "../store/dependencies.ts";
import type { End } from "../store/results.ts";
import { mustGetHead } from "../store/runs.ts";
import { command } from "./commands.ts";
import { tellEnds } from "./dependencies.ts";
import type { Shared } from "./host.ts";
import { resultOf } from "./results.ts";

/** A run of the fleet, wherever it is worked on. */
export class Handle<Output = unknown> {
  readonly id: string;
  readonly #fleet: Shared;

  constructor(fleet: Shared, id: string) {
    this.#fleet = fleet;
    this.id = id;
  }

  /**
   * What its handler returns, once the run has ended. Inside another run it parks that run until then, and costs no process.
   * Rejects with what it failed with, CANCELLED, RUN_DEAD, or COMMAND_NOT_ALLOWED where it was pruned.
   */
  async result(): Promise<Output> {
    const scope = currentScope();
    if (scope) return resultOf(await this.#endIn(scope)) as Output;
    return resultOf(await this.#fleet.results.endOf(this.id)) as Output;
  }

  async #endIn(scope: Scope): Promise<End> {
    for (let each: Scope | undefined = scope; each; each = each.session.parent) {
      if (each.runId === this.id) throw new HoldfastError("RUN_NESTED", { runId: this.id });
    }
    const { status, value } = await scope.session.awaitRun(scope.at, this.id, async () => {
      const db = await this.#fleet.host.db();
      const needs = { runId: this.id, name: this.id, onFailure: "tell" } as const;
      if (!(await dependOn(db, scope.runId, needs)))
        throw new HoldfastError("RUN_NOT_FOUND", { runId: this.id });
      await tellEnds(db);
    });
    return { runId: this.id, status, value, pruned: false, reason: undefined };
  }

  /** Throws RUN_NOT_FOUND. */
  async status(): Promise<RunStatus> {
    return (await mustGetHead(await this.#fleet.host.db(), this.id)).status;
  }

  /** Tells it to stop for good. Throws RUN_NOT_FOUND, COMMAND_NOT_ALLOWED where it has ended otherwise. */
  async cancel({ by = "its starter" }: { readonly by?: string } = {}): Promise<void> {
    await command(this.#fleet, this.id, "cancel", { by });
  }

  entries(): Promise<LedgerEntry[]> {
    return this.#fleet.host.entries(this.id);
  }

  /** The entries of the run as they are written, until its last. */
  tail(options: TailOptions = {}): AsyncGenerator<LedgerEntry> {
    return this.#fleet.host.tail(this.id, options);
  }
}
