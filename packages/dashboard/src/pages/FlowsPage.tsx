import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useSearchParams } from "react-router";
import { type FlowGraph, flow, runs } from "../api/queries.ts";
import { FlowView } from "../components/FlowView.tsx";
import { paths } from "../paths.ts";
import { Empty, Failed, Loading } from "../ui/States.tsx";
import { Status } from "../ui/Status.tsx";
import { Time } from "../ui/Time.tsx";

/** What waits for other runs, and the graph of one flow: `?run=` names any run of it. */
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
      {id === "" ? <UnderWay /> : <Graph id={id} />}
    </>
  );
}

const waitForOthers = runs({ status: "waiting", waitingOn: "dependency" });

function UnderWay() {
  const { data, error, refetch } = useInfiniteQuery(waitForOthers);
  if (error) return <Failed error={error} retry={refetch} />;
  if (!data) return <Loading what="flows" />;
  const waiting = data.pages.flatMap(({ runs }) => runs);
  if (waiting.length === 0)
    return (
      <Empty title="No run waits for another">
        Start a flow with <code>hf.flow</code>, or name any run of one that is over.
      </Empty>
    );
  return (
    <>
      <h2>Runs that wait for others</h2>
      <table>
        <tbody>
          {waiting.map(({ id, agent, status, waitingOn, createdAt }) => (
            <tr key={id}>
              <td>
                <Status status={status} waitingOn={waitingOn} />
              </td>
              <td>
                <Link className="id" data-row to={paths.flow(id)}>
                  {id}
                </Link>
              </td>
              <td>{agent}</td>
              <td className="number">
                <Time at={createdAt} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

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
