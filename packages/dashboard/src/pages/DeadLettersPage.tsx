import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useSearchParams } from "react-router";
import { answered, client } from "../api/client.ts";
import { useCommand } from "../api/commands.ts";
import { type DeadLetter, deadLetters } from "../api/queries.ts";
import { oneLine } from "../format.ts";
import { paths } from "../paths.ts";
import { useLacks } from "../session.ts";
import { Ask } from "../ui/Ask.tsx";
import { Empty, Failed, Loading } from "../ui/States.tsx";
import { Status } from "../ui/Status.tsx";
import { Time } from "../ui/Time.tsx";

/** So many in one request: the server takes no more. */
const MOST = 100;

export function DeadLettersPage() {
  const { data, error, refetch } = useQuery(deadLetters);
  const [search, setSearch] = useSearchParams();
  const [chosen, choose] = useState<ReadonlySet<string>>(new Set());
  const find = search.get("find") ?? "";
  const matches = ({ id, agent, error }: DeadLetter) =>
    `${id} ${agent} ${oneLine(error, 2000)}`.toLowerCase().includes(find.toLowerCase());
  const shown = data?.filter(matches) ?? [];
  const picked = shown.filter(({ id }) => chosen.has(id)).map(({ id }) => id);
  const toggle = (ids: readonly string[], on: boolean) =>
    choose((before) =>
      on ? new Set([...before, ...ids]) : new Set([...before].filter((id) => !ids.includes(id))),
    );
  return (
    <>
      <title>Dead letters · Holdfast</title>
      <h1>Dead letters</h1>
      {error ? <Failed error={error} retry={refetch} /> : null}
      {!data && !error ? <Loading what="dead letters" /> : null}
      {data?.length === 0 ? (
        <Empty title="There are none">
          Runs that fail for good, or that kill their workers, appear here with the reason.
        </Empty>
      ) : null}
      {data && data.length > 0 ? (
        <div className="filters">
          <input
            type="search"
            data-search
            aria-label="Search dead letters"
            placeholder="Run, agent or error"
            value={find}
            onChange={({ target }) =>
              setSearch(target.value === "" ? {} : { find: target.value }, { replace: true })
            }
          />
          <Redrive ids={picked.slice(0, MOST)} redriven={() => choose(new Set())} />
        </div>
      ) : null}
      {shown.length > 0 ? (
        <table>
          <thead>
            <tr>
              <th>
                <input
                  type="checkbox"
                  aria-label="All"
                  checked={picked.length === shown.length}
                  onChange={({ target }) =>
                    toggle(
                      shown.map(({ id }) => id),
                      target.checked,
                    )
                  }
                />
              </th>
              <th>Status</th>
              <th>Run</th>
              <th>Agent</th>
              <th>Why</th>
              <th className="number">When</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((letter) => (
              <Letter key={letter.id} letter={letter} chosen={chosen.has(letter.id)} choose={toggle} />
            ))}
          </tbody>
        </table>
      ) : null}
    </>
  );
}

interface LetterProps {
  readonly letter: DeadLetter;
  readonly chosen: boolean;
  readonly choose: (ids: readonly string[], on: boolean) => void;
}

const Letter = ({ letter: { id, agent, status, at, error }, chosen, choose }: LetterProps) => (
  <tr>
    <td>
      <input
        type="checkbox"
        aria-label={`Choose ${id}`}
        checked={chosen}
        onChange={({ target }) => choose([id], target.checked)}
      />
    </td>
    <td>
      <Status status={status} />
    </td>
    <td>
      <Link className="id" data-row to={paths.run(id)}>
        {id}
      </Link>
    </td>
    <td>{agent}</td>
    <td className="reason">{reasonIn(error)}</td>
    <td className="number">
      <Time at={at} />
    </td>
  </tr>
);

const reasonIn = (error: unknown): string =>
  typeof error === "object" && error !== null && "message" in error
    ? String(error.message)
    : oneLine(error, 300);

function Redrive({ ids, redriven }: { readonly ids: readonly string[]; readonly redriven: () => void }) {
  const [refused, setRefused] = useState<readonly { id: string; detail: string }[]>([]);
  const redrive = useCommand(async () =>
    (await answered(client.redrive.$post({ json: { ids: [...ids] } }))).json(),
  );
  const many = ids.length === 1 ? "1 run" : `${ids.length} runs`;
  return (
    <>
      <Ask
        label={ids.length === 0 ? "Redrive" : `Redrive ${many}`}
        title={`Redrive ${many}`}
        why={useLacks("operate") ?? (ids.length === 0 ? "Choose runs first" : undefined)}
        busy={redrive.isPending}
        error={redrive.error}
        confirm={(done) =>
          redrive.mutate(undefined, {
            onSuccess: ({ refused }) => {
              setRefused(refused);
              redriven();
              done();
            },
          })
        }
      >
        <p>
          {many} {ids.length === 1 ? "is" : "are"} queued anew with{" "}
          {ids.length === 1 ? "its ledger" : "their ledgers"}: recorded calls return what they returned, and
          only what is missing is done. Mend the cause first.
        </p>
      </Ask>
      {refused.map(({ id, detail }) => (
        <p key={id} className="failed" role="alert">
          {id}: {detail}
        </p>
      ))}
    </>
  );
}
