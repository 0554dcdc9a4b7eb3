import { decode, encodeError } from "../codec.ts";
import { failureOf } from "../error-class.ts";
import { finish } from "../finish.ts";
import type { Standing } from "../heart.ts";
import type { Entry, Failing } from "../ledger/entry.ts";
import type { Means } from "../owner.ts";
import type { Redactor } from "../redact.ts";
import { type Retry, waitMs } from "../retry.ts";
import { outside } from "../scope.ts";
import { Session } from "../session.ts";
import { append, type Lease } from "../store/ledger.ts";
import type { Claimed } from "../store/queue.ts";
import type { Registered } from "./agent.ts";
import { contextOf } from "./context.ts";
import type { Host } from "./host.ts";

/** A run that was claimed, with its ledger. */
export interface Work {
  readonly claimed: Claimed;
  readonly entries: readonly Entry[];
  readonly standing: Standing;
}

/** Works on a run until it ends, parks, fails or is lost. Whatever comes of it is in its ledger: it never rejects. */
export async function execute(
  host: Host,
  means: Means,
  registered: Registered,
  { claimed, entries, standing }: Work,
  sessions: Set<Session>,
): Promise<void> {
  const { lease } = claimed;
  const { maxSteps, timeoutMs } = registered;
  const session = outside(() => new Session(lease.runId, host.settings, { maxSteps, timeoutMs }));
  const leave = host.attend(lease, session);
  sessions.add(session);
  try {
    session.open(entries, { means, lease, standing });
    const { redactor } = host.settings;
    const failing = (error: unknown) => nextTry(registered.retry, claimed.retries + 1, error, redactor);
    const work = () =>
      session.root.enter(
        async () => await registered.handler(inputOf(session), contextOf(session.runId, session.run)),
      );
    await finish(session, work, redactor, { failing });
  } catch (error) {
    // A ledger that cannot be read is not worked on: that is said, and the run is a dead letter.
    if (!session.stopError && session.run.takeover?.epoch !== lease.epoch)
      await refuse(means, lease, host.settings.redactor.apply("error", error));
    session.stop(error);
  } finally {
    sessions.delete(session);
    leave();
  }
}

function inputOf({ run }: Session): unknown {
  return run.input === undefined ? undefined : decode(run.input);
}

/** When the work is tried again, as it goes to the ledger. Undefined: it is not. */
function nextTry(
  retry: Retry | undefined,
  tries: number,
  error: unknown,
  redactor: Redactor,
): Failing | undefined {
  const failure = failureOf(error);
  const ms = waitMs(retry, tries, Math.random(), failure);
  if (ms === undefined) return undefined;
  const message = redactor.message(error);
  const text = error instanceof Error ? `${error.name}: ${message}` : message;
  return { kind: "note", note: "failing", tries, error: text, class: failure.class, waitMs: Math.round(ms) };
}

async function refuse({ db }: Means, lease: Lease, error: unknown): Promise<void> {
  const value = encodeError(error);
  const fact = { kind: "outcome", status: "failed", kept: true, value } as const;
  await append(db, [{ lease, number: 1, facts: [fact], ends: "failed" }]).catch(() => {});
}
