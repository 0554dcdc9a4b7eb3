import { randomBytes } from "node:crypto";
import { decode } from "./codec.ts";
import { secondsOf } from "./duration.ts";
import type { Asked } from "./ledger/asked.ts";
import type { Question } from "./ledger/entry.ts";
import type { Ruling } from "./policy/rule.ts";

interface Asking extends Omit<Question, "kind" | "question" | "need"> {
  readonly need?: number | undefined;
  readonly expiresIn?: Ruling["expiresIn"] | undefined;
}

/**
 * A question of its own. Its id is random: a link to one question never answers another, and a run that was deleted and
 * begun anew asks anew. After a crash it is found in the ledger.
 */
export function newQuestion({ expiresIn, expiresInSeconds, need = 1, of, ...asking }: Asking): Question {
  return {
    kind: "question",
    question: `q_${randomBytes(16).toString("base64url")}`,
    step: asking.step,
    asks: asking.asks,
    call: asking.call,
    name: asking.name,
    digest: asking.digest,
    shown: asking.shown,
    text: asking.text,
    decision: asking.decision,
    need,
    of,
    expiresInSeconds: expiresIn === undefined ? expiresInSeconds : secondsOf("expiresIn", expiresIn),
    schema: asking.schema,
    value: asking.value,
  };
}

/** The arguments that whoever approved a call changed it to, and who that was. */
export function changeOf({ answers }: Asked): { input: unknown; by: string } | undefined {
  const change = answers.find(({ says, value }) => says === "approved" && value !== undefined);
  return change?.value === undefined ? undefined : { input: decode(change.value), by: change.by };
}

/** What the model is told of a call that was not approved. */
export function whyRefused({ at, answers }: Asked): string {
  if (at === "expired") return "nobody approved it in time";
  const no = answers.find(({ says }) => says === "denied");
  return no?.comment
    ? `${no.by} did not approve it: ${no.comment}`
    : `${no?.by ?? "somebody"} did not approve it`;
}
