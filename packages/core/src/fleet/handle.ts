import type { LedgerEntry, TailOptions } from "../read-ledger.ts";
import type { RunStatus } from "../run/status.ts";
import { mustGetHead } from "../store/runs.ts";
import { command } from "./commands.ts";
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
   * What its handler returns, once the run has ended. Rejects with what it failed with, CANCELLED, RUN_DEAD, or
   * COMMAND_NOT_ALLOWED where it was pruned.
   */
  async result(): Promise<Output> {
    return resultOf(await this.#fleet.results.endOf(this.id)) as Output;
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
