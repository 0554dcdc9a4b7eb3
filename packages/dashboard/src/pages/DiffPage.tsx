import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useSearchParams } from "react-router";
import { diff, type RunDiff } from "../api/queries.ts";
import { duration, tokens } from "../format.ts";
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
      className="filters"
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
            <th className="number">Tokens in</th>
            <th className="number">out</th>
            <th className="number">Took</th>
          </tr>
        </thead>
        <tbody>
          {[a, b].map(({ runId, status, calls, inputTokens, outputTokens, ms }, i) => (
            <tr key={i === 0 ? "a" : "b"}>
              <td>
                {i === 0 ? "− " : "+ "}
                <Link className="id" to={paths.run(runId)}>
                  {runId}
                </Link>
              </td>
              <td>{status}</td>
              <td className="number">{calls}</td>
              <td className="number">{tokens(inputTokens)}</td>
              <td className="number">{tokens(outputTokens)}</td>
              <td className="number">{duration(ms)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {same ? <p className="why">Both did the same, and the same came of it.</p> : null}
      <Parts title="Input" parts={input} />
      <ol className="steps">
        {steps.map((step) => (
          <li key={`${step.a} ${step.b}`} className={`tone-${tones[step.at]}`}>
            <p>
              <span className="sign" title={says[step.at]} role="img" aria-label={says[step.at]}>
                {signs[step.at]}
              </span>
              <span className="name">{step.name}</span> <span className="faint">{step.lane}</span>
              <span className="faint end">{step.at === "same" ? "" : says[step.at]}</span>
            </p>
            <Parts title="Asked" parts={step.asked} />
            <Parts title="Came of it" parts={step.outcome} />
          </li>
        ))}
      </ol>
      <Parts title="End" parts={end} />
    </>
  );
}

interface PartsProps {
  readonly title: string;
  readonly parts: RunDiff["input"];
}

const Parts = ({ title, parts }: PartsProps) =>
  parts.length === 0 ? null : (
    <section className="parts">
      {parts.map(({ path, lines }) => (
        <figure key={path}>
          <figcaption>
            {title} <code>{path}</code>
          </figcaption>
          <pre>
            {numbered(lines).map(({ n, line }) => (
              <span
                key={n}
                className={line.startsWith("-") ? "gone" : line.startsWith("+") ? "come" : undefined}
              >
                {line}
                {"\n"}
              </span>
            ))}
          </pre>
        </figure>
      ))}
    </section>
  );

const numbered = (lines: readonly string[]) => lines.map((line, n) => ({ n, line }));
