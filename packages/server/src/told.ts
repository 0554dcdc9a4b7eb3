import type { Told } from "./store/feed.ts";

/** An entry of the feed with its stamp and its small fields, none of which takes the place of the stamp. */
export function toldAs({ place, runId, epoch, at, kind, step, body }: Told) {
  const fields: object = JSON.parse(body);
  return {
    ...fields,
    runId,
    seq: place.seq,
    epoch,
    at: at.toISOString(),
    kind,
    ...(step === null ? {} : { step }),
  };
}
