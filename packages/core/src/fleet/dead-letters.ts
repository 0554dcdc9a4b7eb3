import { HoldfastError } from "../errors.ts";
import type { LedgerEntry } from "../read-ledger.ts";
import { type DeadLetterRow, listDeadLetters } from "../store/dead-letters.ts";
import { endsOf } from "../store/results.ts";
import type { Shared } from "./host.ts";
import { resultOf } from "./results.ts";

/** A run of the fleet that ended badly and that nobody has redriven. */
export interface DeadLetter {
  readonly id: string;
  readonly agent: string;
  /** `dead`: it killed its workers. `failed`: its work threw, and its tries are used up. */
  readonly status: "dead" | "failed";
  readonly at: Date;
  /** What it failed with, or why it is dead. */
  readonly error: unknown;
}

export interface DeadLetters {
  /** The newest first: at most `limit`, 1 to 500. Default 50. */
  list(filter?: { agent?: string | undefined; limit?: number | undefined }): Promise<DeadLetter[]>;
  /** One of them, with its last entries: at most `last`, default 20. Throws RUN_NOT_FOUND where there is none of this id. */
  get(
    id: string,
    options?: { last?: number },
  ): Promise<DeadLetter & { readonly entries: readonly LedgerEntry[] }>;
}

const LARGEST_PAGE = 500;

export function deadLettersOn(fleet: Shared): DeadLetters {
  const lettersOf = async (rows: readonly DeadLetterRow[]): Promise<DeadLetter[]> => {
    const ids = rows.map(({ runId }) => runId);
    const ends = new Map((await endsOf(await fleet.host.db(), ids)).map((end) => [end.runId, end]));
    return rows.map(({ runId, agent, status, at }) => {
      const end = ends.get(runId);
      return { id: runId, agent, status, at, error: end && errorOf(() => resultOf(end)) };
    });
  };

  return {
    async list({ agent, limit = 50 } = {}) {
      if (!Number.isInteger(limit) || limit < 1 || limit > LARGEST_PAGE) {
        throw new HoldfastError("INVALID_ARGUMENT", {
          argument: "limit",
          why: `must be from 1 to ${LARGEST_PAGE}`,
        });
      }
      return await lettersOf(await listDeadLetters(await fleet.host.db(), { agent }, limit));
    },

    async get(id, { last = 20 } = {}) {
      const [letter] = await lettersOf(await listDeadLetters(await fleet.host.db(), { runId: id }, 1));
      if (!letter) throw new HoldfastError("RUN_NOT_FOUND", { runId: id });
      return { ...letter, entries: (await fleet.host.entries(id)).slice(-last) };
    },
  };
}

function errorOf(result: () => unknown): unknown {
  try {
    result();
    return undefined;
  } catch (error) {
    return error;
  }
}
