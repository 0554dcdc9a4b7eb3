import { useQuery } from "@tanstack/react-query";
import { Link, useSearchParams } from "react-router";
import { type BudgetWindow, budgets } from "../api/queries.ts";
import { byScope, type Spending } from "../budget/spending.ts";
import { Columns } from "../components/Columns.tsx";
import { money, tokens } from "../format.ts";
import { paths } from "../paths.ts";
import { Meter } from "../ui/Meter.tsx";
import { Empty, Failed, Loading } from "../ui/States.tsx";
import { Time } from "../ui/Time.tsx";

/** What runs share, window by window. */
export function BudgetsPage() {
  const { data, error, refetch } = useQuery(budgets);
  const [search] = useSearchParams();
  const scope = search.get("scope");
  const shown = byScope(data ?? []).filter((each) => scope === null || each.scope === scope);
  return (
    <>
      <title>Budgets · Holdfast</title>
      <h1>Budgets</h1>
      {error ? <Failed error={error} retry={refetch} /> : null}
      {!data && !error ? <Loading what="budgets" /> : null}
      {scope === null ? null : (
        <p>
          Only <code>{scope}</code>. <Link to={paths.budgets}>Show all</Link>
        </p>
      )}
      {data && shown.length === 0 ? (
        <Empty title="No shared budget has been used yet">
          Name one in <code>budgets</code> of <code>openHoldfast</code>. What a run may spend by itself stands
          on its page.
        </Empty>
      ) : null}
      {shown.map((spending) => (
        <Scope key={`${spending.scope} ${spending.per}`} spending={spending} />
      ))}
    </>
  );
}

function Scope({ spending: { scope, per, latest, windows } }: { readonly spending: Spending }) {
  const { open, micros, until } = latest;
  const isFull = micros.cap !== null && micros.spent + micros.held >= micros.cap;
  return (
    <article className="budget">
      <header>
        <h2>
          <Link data-row to={`?${new URLSearchParams({ scope })}`}>
            {scope}
          </Link>{" "}
          <span className="faint">a {per}</span>
          {isFull ? <span className="mark warn">used up</span> : null}
        </h2>
        <p className="sum">
          {money(micros.spent)}
          {micros.cap === null ? null : <span className="faint"> of {money(micros.cap)}</span>}
          {micros.held > 0 ? <span className="faint"> + {money(micros.held)} held</span> : null}
        </p>
        {micros.cap === null ? null : <Meter cap={micros.cap} spent={micros.spent} held={micros.held} />}
        <Counts window={latest} />
        <p className="faint">
          {open ? (
            <>
              The {per} ends <Time at={until} />.
            </>
          ) : (
            "Its last window is over."
          )}
        </p>
      </header>
      <Columns
        label={`Spent by ${scope}, ${per} by ${per}`}
        cap={micros.cap ?? undefined}
        text={money}
        columns={windows.map(({ starts, window }) => ({
          key: starts,
          name: nameOf(starts, per),
          told: `${nameOf(starts, per)}: ${window ? told(window) : "nothing spent"}`,
          parts: [
            { kind: "spent", amount: window?.micros.spent ?? 0 },
            { kind: "held", amount: window?.micros.held ?? 0 },
          ],
        }))}
      />
    </article>
  );
}

/** Tokens and calls, where those are capped. */
const Counts = ({ window: { tokens: used, calls } }: { readonly window: BudgetWindow }) => (
  <>
    {used.cap === null ? null : (
      <p>
        {tokens(used.spent)} <span className="faint">of {tokens(used.cap)} tokens</span>
      </p>
    )}
    {calls.cap === null ? null : (
      <p>
        {calls.spent} <span className="faint">of {calls.cap} calls</span>
      </p>
    )}
  </>
);

const told = ({ micros: { spent, held, cap } }: BudgetWindow): string =>
  `${money(spent)}${cap === null ? "" : ` of ${money(cap)}`}${held > 0 ? `, ${money(held)} held` : ""}`;

/** When a window began, in UTC, by which windows go: `07:00`, `11-21`, `2026-11`. */
function nameOf(starts: string, per: string): string {
  if (per === "hour") return starts.slice(11, 16);
  return per === "day" ? starts.slice(5, 10) : starts.slice(0, 7);
}
