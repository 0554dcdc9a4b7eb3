import type { Run } from "../api/queries.ts";
import { ago, dateTime, duration, money, tokens } from "../format.ts";
import { useNow } from "../now.ts";
import { Meter } from "../ui/Meter.tsx";

/** The run in numbers: what it took, what it cost, how often it was taken up again. */
export function RunFacts({ run }: { readonly run: Run }) {
  const now = useNow();
  const { createdAt, finishedAt, attempts, budget, epoch } = run;
  const took = (finishedAt ? Date.parse(finishedAt) : now) - Date.parse(createdAt);
  const models = Object.entries(budget.models);
  const used = (of: "inputTokens" | "outputTokens") => models.reduce((sum, [, model]) => sum + model[of], 0);
  return (
    <dl className="figures">
      <Figure name="Started" title={dateTime(Date.parse(createdAt))}>
        {dateTime(Date.parse(createdAt)).slice(11)}{" "}
        <span className="faint">{ago(Date.parse(createdAt), now)}</span>
      </Figure>
      <Figure name={finishedAt ? "Took" : "Takes so far"}>{duration(took)}</Figure>
      <Figure
        name="Cost"
        title={models.map(([name, { calls, cost }]) => `${name}: ${money(cost)}, ${calls} calls`).join("\n")}
      >
        {money(budget.spent)}
        {budget.cap === undefined ? null : <span className="faint"> of {money(budget.cap)}</span>}
        {budget.held > 0 ? <span className="faint"> + {money(budget.held)} held</span> : null}
        {budget.estimated > 0 ? <span className="faint"> ({money(budget.estimated)} estimated)</span> : null}
        {budget.cap === undefined ? null : <Meter cap={budget.cap} spent={budget.spent} held={budget.held} />}
      </Figure>
      <Figure name="Model calls">{models.reduce((sum, [, { calls }]) => sum + calls, 0)}</Figure>
      <Figure name="Tokens" title="In, and out">
        {tokens(used("inputTokens"))} <span className="faint">in</span> {tokens(used("outputTokens"))}{" "}
        <span className="faint">out</span>
      </Figure>
      <Figure name="Epoch" title="Raised by every takeover">
        {epoch}
        <span className="faint"> {attemptsText(attempts)}</span>
      </Figure>
    </dl>
  );
}

function attemptsText({ crashes, retries, resumes }: Run["attempts"]): string {
  const parts = [
    [crashes, "after a crash"],
    [retries, "tried again"],
    [resumes, "after a wait"],
  ] as const;
  const told = parts.filter(([n]) => n > 0).map(([n, what]) => `${n} ${what}`);
  return told.length === 0 ? "" : `(${told.join(", ")})`;
}

interface FigureProps {
  readonly name: string;
  readonly title?: string;
  readonly children: React.ReactNode;
}

const Figure = ({ name, title, children }: FigureProps) => (
  <div title={title}>
    <dt>{name}</dt>
    <dd>{children}</dd>
  </div>
);
