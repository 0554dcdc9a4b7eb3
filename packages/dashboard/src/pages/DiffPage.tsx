import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useSearchParams } from "react-router";
import { diff, type RunDiff } from "../api/queries.ts";
import { Parts } from "../components/Parts.tsx";
import { byLane, type StepDiff, sorted } from "../diff/laid-out.ts";
import { duration, money, tokens } from "../format.ts";
import { paths } from "../paths.ts";
import { Empty, Failed, Loading } from "../ui/States.tsx";

export function DiffPage() {
  const [search, setSearch] = useSearchParams();
  const [a, b] = [search.get("a") ?? "", search.get("b") ?? ""];
  const isAsked = a !== "" && b !== "";
  const { data, error, refetch } = useQuery({ ...diff(a, b), enabled: isAsked });
  return (
    <>
      <title>Compare · Holdfast</title>
      <h1>Compare two runs</h1>
      <Choose key={`${a} ${b}`} a={a} b={b} choose={(a, b) => setSearch({ a, b })} />
      {error ? <Failed error={error} retry={refetch} /> : null}
      {isAsked && !data && !error ? <Loading what="the difference" /> : null}
      {!isAsked ? (
        <Empty title="Name two runs">Of a fork, its page has the link to compare it with its origin.</Empty>
      ) : null}
      {isAsked && data && !error ? <Difference diff={data} /> : null}
    </>
  );
}

interface ChooseProps {
  readonly a: string;
  readonly b: string;
  readonly choose: (a: string, b: string) => void;
}

const Choose = ({ choose, ...given }: ChooseProps) => {
  const [a, setA] = useState(given.a);
  const [b, setB] = useState(given.b);
  return (
    <form
      className="filters pair"
      onSubmit={(event) => {
        event.preventDefault();
        choose(a, b);
      }}
    >
      <input
        aria-label="One run"
        placeholder="one run"
        data-search
        required
        value={a}
        onChange={({ target }) => setA(target.value)}
      />
      <input
        aria-label="The other run"
        placeholder="the other"
        required
        value={b}
        onChange={({ target }) => setB(target.value)}
      />
      <button type="submit">Compare</button>
    </form>
  );
};

const signs = { same: "=", changed: "≠", drifted: "~", "only a": "−", "only b": "+" } as const;
const tones = { same: "plain", changed: "warn", drifted: "warn", "only a": "bad", "only b": "good" } as const;
const says = {
  same: "the same",
  changed: "asked the same, something else came of it",
  drifted: "something else was asked",
  "only a": "only in the one",
  "only b": "only in the other",
} as const;

function Difference({ diff: { same, a, b, input, steps, end } }: { readonly diff: RunDiff }) {
  return (
    <>
      <table className="totals">
        <thead>
          <tr>
            <th>Run</th>
            <th>Ended</th>
            <th className="number">Calls</th>
            <th className="number">Tokens</th>
            <th className="number">Cost</th>
            <th className="number">Took</th>
          </tr>
        </thead>
        <tbody>
          {[a, b].map(({ runId, status, calls, inputTokens, outputTokens, cost, ms }, i) => (
            <tr key={i === 0 ? "a" : "b"}>
              <td>
                <span className={i === 0 ? "gone" : "come"}>{i === 0 ? "−" : "+"}</span>{" "}
                <Link className="id" to={paths.run(runId)}>
                  {runId}
                </Link>
              </td>
              <td>{status}</td>
              <td className="number" data-of="calls">
                {calls}
              </td>
              <td className="number" data-of="tokens">
                {tokens(inputTokens)} → {tokens(outputTokens)}
              </td>
              <td className="number">{money(cost)}</td>
              <td className="number">{duration(ms)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {same ? <p className="why">Both did the same, and the same came of it.</p> : null}
      <Parts title="Input" parts={input} />
      {byLane(steps).map(({ lane, steps }) => (
        <section key={steps[0]?.a ?? steps[0]?.b} className="lane-diff">
          {lane === "" ? null : <h2>{lane}</h2>}
          <ol className="steps">
            {steps.map((step) => (
              <StepLine key={`${step.a} ${step.b}`} step={step} />
            ))}
          </ol>
        </section>
      ))}
      <Parts title="End" parts={end} />
    </>
  );
}

function StepLine({
  step: { at, name, call, asked, outcome, usage, cost, ms },
}: {
  readonly step: StepDiff;
}) {
  const questions = sorted(asked, call);
  const answers = sorted(outcome, call);
  const madeUp = [...questions.madeUp, ...answers.madeUp];
  const count = ({ inputTokens = 0, outputTokens = 0 }: Record<string, number | undefined>) =>
    tokens(inputTokens + outputTokens);
  return (
    <li className={`tone-${tones[at]}`}>
      <p>
        <span className="sign" title={says[at]} role="img" aria-label={says[at]}>
          {signs[at]}
        </span>
        <span className="name">{name}</span>
        <span className="faint">{at === "same" ? "" : says[at]}</span>
        <span className="faint figures-of">
          <Both of={usage} as={count} unit=" tokens" />
          <Both of={cost} as={money} />
          <Both of={ms} as={duration} />
        </span>
      </p>
      <Parts title="Asked" parts={questions.telling} />
      <Parts title="Came of it" parts={answers.telling} />
      {madeUp.length === 0 ? null : (
        <details className="made-up">
          <summary>
            {madeUp.length === 1 ? "1 made-up id or instant" : `${madeUp.length} made-up ids and instants`}
          </summary>
          <Parts title="" parts={madeUp} />
        </details>
      )}
    </li>
  );
}

interface BothProps<T> {
  readonly of: { readonly a?: T | undefined; readonly b?: T | undefined };
  readonly as: (amount: T) => string;
  readonly unit?: string;
}

/** A number of the one, and of the other where it says something else. */
function Both<T>({ of: { a, b }, as, unit = "" }: BothProps<T>) {
  const said = [a, b].filter((amount) => amount !== undefined).map(as);
  if (said.length === 0) return null;
  return <span>{`${[...new Set(said)].join(" ⇒ ")}${unit}`}</span>;
}
