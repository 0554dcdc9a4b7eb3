import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { modelRequest, type Run } from "../api/queries.ts";
import { clock, duration, money } from "../format.ts";
import type { ForkPlaces } from "../timeline/fork.ts";
import type { CallRow } from "../timeline/row.ts";
import { Json } from "../ui/Json.tsx";
import { states, textIn } from "./CallLine.tsx";
import { ForkHere } from "./ForkHere.tsx";

interface CallDetailProps {
  readonly run: Run;
  readonly call: CallRow;
  readonly beside: readonly CallRow[];
  readonly places: ForkPlaces;
  readonly isInline: boolean;
}

/** All that is on record of one call. */
export function CallDetail({ run, call, beside, places, isInline }: CallDetailProps) {
  const { usage, cost, entries } = call;
  const answer = call.call === "model" ? textIn(call.output) : undefined;
  return (
    <div className="detail">
      <dl className="facts">
        <Fact name="Step">
          <code>{call.step}</code>
        </Fact>
        <Fact name="Became">
          {states[call.state].text}
          {call.reason ? `: ${call.reason}` : ""}
        </Fact>
        <Fact name="When">
          {clock(call.from)}
          {call.to === undefined ? "" : ` – ${clock(call.to)} (${duration(call.to - call.from)})`}
        </Fact>
        {call.effect ? <Fact name="Effect">{effects[call.effect]}</Fact> : null}
        {call.key ? (
          <Fact name="Key">
            <code>{call.key}</code>
          </Fact>
        ) : null}
        {usage ? <Fact name="Tokens">{usageText(usage)}</Fact> : null}
        {cost === undefined ? null : (
          <Fact name="Cost">
            {money(cost)}
            {call.estimated ? ", estimated" : ""}
          </Fact>
        )}
        {call.drift.length > 0 ? (
          <Fact name="Drift">
            asked otherwise than on record in {call.drift.join(", ")}; the record answered
          </Fact>
        ) : null}
        {beside.length > 0 ? <Fact name="Beside">{beside.map(({ name }) => name).join(", ")}</Fact> : null}
        <Fact name="Entries">{entries.map(({ seq, kind }) => `${seq} ${kind}`).join(", ")}</Fact>
      </dl>
      {call.input === undefined ? null : (
        <section>
          <h3>Arguments</h3>
          <Json value={call.input} />
        </section>
      )}
      {call.output === undefined ? null : (
        <section>
          <h3>{call.call === "model" ? "Answer" : "Output"}</h3>
          <Json value={answer ?? call.output} />
        </section>
      )}
      {call.error === undefined ? null : (
        <section>
          <h3>Error</h3>
          <Json value={call.error} />
        </section>
      )}
      {call.call === "model" && call.output !== undefined ? (
        <Request runId={run.id} step={call.step} />
      ) : null}
      <ForkHere run={run} call={call} places={places} isInline={isInline} />
    </div>
  );
}

const effects = {
  read: "read: a repeat does no harm",
  idempotent: "idempotent: a repeat goes out with the same key",
  once: "once: never called again on its own",
  transaction: "transaction: it commits with its record, or not at all",
} as const;

function usageText({
  inputTokens = 0,
  cachedInputTokens,
  outputTokens = 0,
  reasoningTokens,
}: NonNullable<CallRow["usage"]>): string {
  const of = (n: number) => n.toLocaleString("en-US");
  const cached = cachedInputTokens ? ` (${of(cachedInputTokens)} cached)` : "";
  const reasoned = reasoningTokens ? ` (${of(reasoningTokens)} reasoning)` : "";
  return `${of(inputTokens)} in${cached}, ${of(outputTokens)} out${reasoned}`;
}

const Fact = ({ name, children }: { readonly name: string; readonly children: React.ReactNode }) => (
  <>
    <dt>{name}</dt>
    <dd>{children}</dd>
  </>
);

/** What the model was asked, put together again from the ledger. */
function Request({ runId, step }: { readonly runId: string; readonly step: string }) {
  const [open, setOpen] = useState(false);
  const { data, error } = useQuery({ ...modelRequest(runId, step), enabled: open });
  return (
    <details onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>What it was asked</summary>
      {data ? <Json value={data.request} /> : null}
      {error ? <p className="failed">{error.message}</p> : null}
    </details>
  );
}
