import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useSearchParams } from "react-router";
import { type BudgetWindow, budgets } from "../api/queries.ts";
import { byScope, type Spending } from "../budget/spending.ts";
import { dateTime, money, tokens } from "../format.ts";
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
      {data && shown.length === 0 ? (
        <Empty title="No budget is shared yet">
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

function Scope({ spending: { scope, per, windows } }: { readonly spending: Spending }) {
  const [latest] = windows;
  const [named, showNamed] = useState<BudgetWindow>();
  if (!latest) return null;
  const { open, micros, tokens: used, calls, until } = latest;
  const most = Math.max(
    1,
    ...windows.map(({ micros }) => Math.max(micros.spent + micros.held, micros.cap ?? 0)),
  );
  const shown = named ?? latest;
  return (
    <article className="budget">
      <header>
        <h2>
          <Link to={`?${new URLSearchParams({ scope })}`}>{scope}</Link>{" "}
          <span className="faint">a {per}</span>
        </h2>
        <p>
          {money(micros.spent)}
          {micros.cap === null ? null : ` of ${money(micros.cap)}`}
          {micros.held > 0 ? `, ${money(micros.held)} held` : ""}
          <span className="faint">
            {" "}
            {open ? (
              <>
                ends <Time at={until} />
              </>
            ) : (
              "its window is over"
            )}
            {used.cap === null ? "" : ` · ${tokens(used.spent)} of ${tokens(used.cap)} tokens`}
            {calls.cap === null ? "" : ` · ${calls.spent} of ${calls.cap} calls`}
          </span>
        </p>
        {micros.cap === null ? null : <Meter cap={micros.cap} spent={micros.spent} held={micros.held} />}
      </header>
      <div className="columns">
        {[...windows].reverse().map((window) => (
          <span
            key={window.starts}
            className="column"
            title={told(window)}
            onPointerEnter={() => showNamed(window)}
            onPointerLeave={() => showNamed(undefined)}
          >
            <span className="held" style={{ height: `${(window.micros.held / most) * 100}%` }} />
            <span className="spent" style={{ height: `${(window.micros.spent / most) * 100}%` }} />
            {window.micros.cap === null ? null : (
              <span className="cap" style={{ bottom: `${(window.micros.cap / most) * 100}%` }} />
            )}
          </span>
        ))}
      </div>
      <p className="faint">{told(shown)}</p>
    </article>
  );
}

const told = ({ starts, micros }: BudgetWindow): string =>
  `From ${dateTime(Date.parse(starts)).slice(0, 16)}: ${money(micros.spent)}${micros.cap === null ? "" : ` of ${money(micros.cap)}`}`;
