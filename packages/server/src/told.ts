import type { Told } from "./store/feed.ts";

/** An entry of the feed with its stamp and its small fields. */
export function toldAs({ place, runId, epoch, at, kind, step, body }: Told) {
  const fields: object = JSON.parse(body);
  return {
    runId,
    seq: place.seq,
    epoch,
    at: at.toISOString(),
    kind,
    ...(step === null ? {} : { step }),
    ...fields,
  };
}
