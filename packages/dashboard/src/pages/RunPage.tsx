import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { Link, useSearchParams } from "react-router";
import { doubts, questions, type Run, run, why } from "../api/queries.ts";
import { useTail } from "../api/tail.ts";
import { DoubtCard } from "../components/DoubtCard.tsx";
import { Entries } from "../components/Entries.tsx";
import { QuestionCard } from "../components/QuestionCard.tsx";
import { RunCommands } from "../components/RunCommands.tsx";
import { RunFacts } from "../components/RunFacts.tsx";
import { TimelineView } from "../components/TimelineView.tsx";
import { paths } from "../paths.ts";
import type { Entry } from "../timeline/entry.ts";
import { timelineOf } from "../timeline/timeline.ts";
import { Json } from "../ui/Json.tsx";
import { Empty, Failed, Loading } from "../ui/States.tsx";
import { Status } from "../ui/Status.tsx";

const TABS = ["timeline", "entries", "input and value"] as const;

export function RunPage({ id }: { readonly id: string }) {
  const { data, error, refetch } = useQuery(run(id));
  const tail = useTail(id, data?.seq);
  const [search] = useSearchParams();
  const tab = TABS.find((tab) => tab === search.get("tab")) ?? "timeline";
  const title = <title>{`${id} · Holdfast`}</title>;
  if (!data)
    return (
      <>
        {title}
        {error ? <Failed error={error} retry={refetch} /> : <Loading what={`run ${id}`} />}
      </>
    );
  return (
    <>
      {title}
      <RunHead run={data} entries={tail.entries} />
      <Waiting run={data} />
      <nav className="tabs" aria-label="Views of the run">
        {TABS.map((each) => (
          <Link
            key={each}
            to={each === "timeline" ? "?" : `?${new URLSearchParams({ tab: each })}`}
            replace
            aria-current={tab === each ? "page" : undefined}
          >
            {each}
            {each === "entries" ? <span className="faint"> {data.seq}</span> : null}
          </Link>
        ))}
      </nav>
      {tab === "input and value" ? (
        <InAndOut run={data} />
      ) : data.prunedAt !== undefined ? (
        <Empty title="Its entries were pruned">
          Its head is kept, so that its key cannot repeat its effects.
        </Empty>
      ) : tail.entries.length === 0 ? (
        <Loading what="entries" />
      ) : tab === "entries" ? (
        <Entries entries={tail.entries} />
      ) : (
        <Course run={data} entries={tail.entries} />
      )}
    </>
  );
}

function RunHead({ run, entries }: { readonly run: Run; readonly entries: readonly Entry[] }) {
  const { id, status, waitingOn, agent, version, parent, forkedFrom, tags } = run;
  return (
    <header className="run-head">
      <div className="title">
        <h1 className="id">{id}</h1>
        <Status status={status} waitingOn={waitingOn} />
        <RunCommands run={run} entries={entries} />
      </div>
      <p className="under">
        {agent ? (
          <Link to={`/?${new URLSearchParams({ agent })}`}>
            {agent}
            {version ? `@${version}` : ""}
          </Link>
        ) : null}
        {parent ? (
          <span>
            child of <Link to={paths.run(parent)}>{parent}</Link>
          </span>
        ) : null}
        {forkedFrom ? (
          <span>
            fork of <Link to={paths.run(forkedFrom)}>{forkedFrom}</Link> (
            <Link to={paths.diff(forkedFrom, id)}>compare</Link>)
          </span>
        ) : null}
        {tags.map((tag) => (
          <Link key={tag} className="tag" to={`/?${new URLSearchParams({ tag })}`}>
            {tag}
          </Link>
        ))}
      </p>
      <RunFacts run={run} />
    </header>
  );
}

/** Why it does not move, and what a person can do about it right here. */
function Waiting({ run }: { readonly run: Run }) {
  const isOver = run.finishedAt !== undefined && run.status === "succeeded";
  const { data } = useQuery({ ...why(run.id), enabled: !isOver });
  const asked = useQuery({ ...questions(run.id), enabled: run.status === "waiting" });
  const inDoubt = useQuery({ ...doubts(run.id), enabled: !isOver });
  if (isOver) return null;
  // A card says it better, and what can be done about it as well.
  const hasCard = [asked.data, inDoubt.data].some((cards) => cards !== undefined && cards.length > 0);
  const isKnown = inDoubt.data !== undefined && (asked.data !== undefined || run.status !== "waiting");
  return (
    <>
      {data && isKnown && !hasCard ? (
        <p className="why">
          {data.why} {data.todo ? <span className="faint">{data.todo}</span> : null}
        </p>
      ) : null}
      <div className="cards">
        {run.status === "waiting"
          ? asked.data?.map((question) => <QuestionCard key={question.id} question={question} />)
          : null}
        {inDoubt.data?.map((doubt) => (
          <DoubtCard key={doubt.step} doubt={doubt} />
        ))}
      </div>
    </>
  );
}

function Course({ run, entries }: { readonly run: Run; readonly entries: readonly Entry[] }) {
  const timeline = useMemo(() => timelineOf(entries), [entries]);
  return <TimelineView run={run} timeline={timeline} />;
}

const InAndOut = ({ run }: { readonly run: Run }) => (
  <div className="in-and-out">
    <section>
      <h2>Input</h2>
      <Json value={run.input} />
    </section>
    <section>
      <h2>{run.error === undefined ? "Value" : "Error"}</h2>
      <Json value={run.error ?? run.value} />
    </section>
  </div>
);
