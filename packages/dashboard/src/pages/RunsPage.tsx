import type { WaitingOn } from "@holdfast/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useNavigate, useSearchParams } from "react-router";
import { type RunFilter, type RunSummary, runs } from "../api/queries.ts";
import { dateTime, duration } from "../format.ts";
import { useNow } from "../now.ts";
import { paths } from "../paths.ts";
import { Empty, Failed, Loading } from "../ui/States.tsx";
import { STATUSES, Status } from "../ui/Status.tsx";
import { Time } from "../ui/Time.tsx";

const WAITS = [
  "approval",
  "input",
  "doubt",
  "budget",
  "timer",
  "dependency",
  "caller",
] as const satisfies WaitingOn[];

/** What the address says is asked for. */
function useFilter() {
  const [search, setSearch] = useSearchParams();
  const text = (name: string) => search.get(name) || undefined;
  const status = STATUSES.find((status) => status === search.get("status"));
  const waitingOn = WAITS.find((waitingOn) => waitingOn === search.get("waitingOn"));
  const filter: RunFilter = { status, waitingOn, agent: text("agent"), tag: text("tag") };
  const set = (name: string, value: string) =>
    setSearch(
      (before) => {
        const next = new URLSearchParams(before);
        if (value === "") next.delete(name);
        else next.set(name, value);
        if (name === "status" && value !== "waiting") next.delete("waitingOn");
        return next;
      },
      { replace: true },
    );
  return { filter, find: text("find") ?? "", set };
}

export function RunsPage() {
  const { filter, find, set } = useFilter();
  const navigate = useNavigate();
  const { data, error, isPlaceholderData, hasNextPage, isFetchingNextPage, fetchNextPage, refetch } =
    useInfiniteQuery(runs(filter));
  const known = data?.pages.flatMap(({ runs }) => runs) ?? [];
  const shown = known.filter(({ id }) => id.toLowerCase().includes(find.toLowerCase()));
  return (
    <>
      <title>Runs · Holdfast</title>
      <h1 className="unseen">Runs</h1>
      <form
        className="filters"
        onSubmit={(event) => {
          event.preventDefault();
          if (find !== "") void navigate(paths.run(find));
        }}
      >
        <input
          type="search"
          data-search
          aria-label="Search by run id"
          placeholder="Run id; Enter opens it"
          value={find}
          onChange={({ target }) => set("find", target.value)}
        />
        <Choice
          label="Status"
          value={filter.status}
          among={STATUSES}
          choose={(value) => set("status", value)}
        />
        {filter.status === "waiting" ? (
          <Choice
            label="Waits for"
            value={filter.waitingOn}
            among={WAITS}
            choose={(value) => set("waitingOn", value)}
          />
        ) : null}
        <Words
          key={`agent ${filter.agent}`}
          label="Agent"
          value={filter.agent}
          say={(value) => set("agent", value)}
        />
        <Words key={`tag ${filter.tag}`} label="Tag" value={filter.tag} say={(value) => set("tag", value)} />
      </form>
      {error ? <Failed error={error} retry={refetch} /> : null}
      {!data && !error ? <Loading what="runs" /> : null}
      {data && shown.length === 0 ? (
        <NoRuns isFiltered={find !== "" || Object.values(filter).some(Boolean)} />
      ) : null}
      {shown.length > 0 ? <RunTable runs={shown} stale={isPlaceholderData} /> : null}
      {hasNextPage ? (
        <p className="more">
          <button type="button" disabled={isFetchingNextPage} onClick={() => void fetchNextPage()}>
            Older runs
          </button>
        </p>
      ) : null}
    </>
  );
}

const NoRuns = ({ isFiltered }: { readonly isFiltered: boolean }) =>
  isFiltered ? (
    <Empty title="No run is like that">
      Of the runs that are loaded. Take a filter away, or open a run by its whole id.
    </Empty>
  ) : (
    <Empty title="There are no runs yet">
      Start one with <code>hf.run</code> or <code>hf.start</code>: it appears here by itself.
    </Empty>
  );

function RunTable({ runs, stale }: { readonly runs: readonly RunSummary[]; readonly stale: boolean }) {
  const now = useNow();
  return (
    <table className="runs" aria-busy={stale}>
      <thead>
        <tr>
          <th>Status</th>
          <th>Run</th>
          <th>Agent</th>
          <th className="wide">Tags</th>
          <th className="number wide">Entries</th>
          <th className="number wide" title="Raised by every takeover">
            Epoch
          </th>
          <th className="number">Took</th>
          <th className="number">Started</th>
        </tr>
      </thead>
      <tbody>
        {runs.map((run) => (
          <RunLine key={run.id} run={run} now={now} />
        ))}
      </tbody>
    </table>
  );
}

function RunLine({ run, now }: { readonly run: RunSummary; readonly now: number }) {
  const {
    id,
    agent,
    version,
    status,
    waitingOn,
    seq,
    epoch,
    tags,
    parent,
    forkedFrom,
    createdAt,
    finishedAt,
  } = run;
  const took = (finishedAt ? Date.parse(finishedAt) : now) - Date.parse(createdAt);
  const from = parent ? `child of ${parent}` : forkedFrom ? `fork of ${forkedFrom}` : undefined;
  return (
    <tr>
      <td>
        <Status status={status} waitingOn={waitingOn} />
      </td>
      <td>
        <Link className="id" data-row to={paths.run(id)}>
          {id}
        </Link>
        {from ? <span className="faint"> {from}</span> : null}
      </td>
      <td>
        {agent}
        {version ? <span className="faint">@{version}</span> : null}
      </td>
      <td className="wide">
        {tags.map((tag) => (
          <span key={tag} className="tag">
            {tag}
          </span>
        ))}
      </td>
      <td className="number wide">{seq}</td>
      <td className="number wide">{epoch}</td>
      <td className="number" data-of="took" title={finishedAt ? dateTime(Date.parse(finishedAt)) : "so far"}>
        {duration(took)}
      </td>
      <td className="number" data-of="started">
        <Time at={createdAt} />
      </td>
    </tr>
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly value: string | undefined;
  readonly among: readonly string[];
  readonly choose: (value: string) => void;
}

const Choice = ({ label, value = "", among, choose }: ChoiceProps) => (
  <select aria-label={label} value={value} onChange={({ target }) => choose(target.value)}>
    <option value="">{label}: any</option>
    {among.map((each) => (
      <option key={each} value={each}>
        {each}
      </option>
    ))}
  </select>
);

interface WordsProps {
  readonly label: string;
  readonly value: string | undefined;
  readonly say: (value: string) => void;
}

/** Text that is asked for once it is written. */
function Words({ label, value = "", say }: WordsProps) {
  const [text, setText] = useState(value);
  return (
    <input
      aria-label={label}
      placeholder={label}
      value={text}
      onChange={({ target }) => setText(target.value)}
      onBlur={() => say(text)}
      onKeyDown={(event) => {
        if (event.key !== "Enter") return;
        event.preventDefault();
        say(text);
      }}
    />
  );
}
