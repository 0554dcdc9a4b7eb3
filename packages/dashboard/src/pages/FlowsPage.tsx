import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useSearchParams } from "react-router";
import { type Flow, type FlowGraph, flow, flows } from "../api/queries.ts";
import { FlowView } from "../components/FlowView.tsx";
import { paths } from "../paths.ts";
import { Empty, Failed, Loading } from "../ui/States.tsx";
import { STATUSES, Status } from "../ui/Status.tsx";
import { Time } from "../ui/Time.tsx";

/** The flows there are, those of one `?name=`, or the graph of one: `?run=` names any run of it. */
export function FlowsPage() {
  const [search, setSearch] = useSearchParams();
  const id = search.get("run") ?? "";
  return (
    <>
      <title>Flows · Holdfast</title>
      <h1>Flows</h1>
      <form
        key={id}
        className="filters"
        onSubmit={(event) => {
          event.preventDefault();
          const run = new FormData(event.currentTarget).get("run");
          setSearch(typeof run === "string" && run !== "" ? { run } : {});
        }}
      >
        <input
          name="run"
          data-search
          aria-label="A run of the flow"
          placeholder="any run of the flow"
          defaultValue={id}
        />
        <button type="submit">Show</button>
      </form>
      {id === "" ? <FlowList name={search.get("name") ?? undefined} /> : <Graph id={id} />}
    </>
  );
}

function FlowList({ name }: { readonly name: string | undefined }) {
  const { data, error, refetch, hasNextPage, isFetchingNextPage, fetchNextPage } = useInfiniteQuery(
    flows(name),
  );
  const shown = data?.pages.flatMap(({ flows }) => flows) ?? [];
  return (
    <>
      {error ? <Failed error={error} retry={refetch} /> : null}
      {!data && !error ? <Loading what="flows" /> : null}
      {name === undefined ? null : (
        <p>
          Only <strong>{name}</strong>. <Link to={paths.flows}>Show all</Link>
        </p>
      )}
      {data && shown.length === 0 ? (
        <Empty title="There are no flows">
          Start one with <code>hf.flow</code>. Runs that come after others without one are found by their id.
        </Empty>
      ) : null}
      {shown.length > 0 ? <FlowTable flows={shown} /> : null}
      {hasNextPage ? (
        <p className="more">
          <button type="button" disabled={isFetchingNextPage} onClick={() => void fetchNextPage()}>
            Older flows
          </button>
        </p>
      ) : null}
    </>
  );
}

const FlowTable = ({ flows }: { readonly flows: readonly Flow[] }) => (
  <table>
    <thead>
      <tr>
        <th>Flow</th>
        <th>Runs</th>
        <th className="wide">Id</th>
        <th>Started by</th>
        <th className="number">Started</th>
      </tr>
    </thead>
    <tbody>
      {flows.map(({ id, name, by, run, runs, createdAt }) => (
        <tr key={id}>
          <td>
            <Link data-row to={paths.flow(run)}>
              {name}
            </Link>
          </td>
          <td className="counts">
            {STATUSES.map((status) =>
              runs[status] ? (
                <span key={status}>
                  {runs[status]} <Status status={status} />
                </span>
              ) : null,
            )}
          </td>
          <td className="wide">
            <span className="id faint">{id}</span>
          </td>
          <td>{by}</td>
          <td className="number" data-of="started">
            <Time at={createdAt} />
          </td>
        </tr>
      ))}
    </tbody>
  </table>
);

function Graph({ id }: { readonly id: string }) {
  const { data, error, refetch } = useQuery(flow(id));
  if (error) return <Failed error={error} retry={refetch} />;
  if (!data) return <Loading what="the graph" />;
  return (
    <>
      {data.edges.length === 0 ? (
        <Empty title="It stands alone">This run comes after no other, and none comes after it.</Empty>
      ) : null}
      <p className="why">{summaryOf(data)}</p>
      <FlowView graph={data} />
    </>
  );
}

function summaryOf({ nodes }: FlowGraph): string {
  const counts = new Map<string, number>();
  for (const { status } of nodes) counts.set(status, (counts.get(status) ?? 0) + 1);
  return [...counts].map(([status, n]) => `${n} ${status}`).join(", ");
}
