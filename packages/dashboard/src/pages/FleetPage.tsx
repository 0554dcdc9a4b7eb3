import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import {
  type Agent,
  agents,
  type Minute,
  schedules,
  throughput,
  type Worker,
  workers,
} from "../api/queries.ts";
import { Columns } from "../components/Columns.tsx";
import { clock } from "../format.ts";
import { Empty, Failed, Loading } from "../ui/States.tsx";
import { Time } from "../ui/Time.tsx";

export function FleetPage() {
  const has = useQuery(agents);
  const alive = useQuery(workers);
  const plans = useQuery(schedules);
  const ended = useQuery(throughput);
  const error = has.error ?? alive.error ?? plans.error ?? ended.error;
  return (
    <>
      <title>Fleet · Holdfast</title>
      <h1>Fleet</h1>
      {error ? <Failed error={error} retry={() => Promise.all([has.refetch(), alive.refetch()])} /> : null}
      {ended.data ? <Throughput minutes={ended.data} /> : null}
      <h2>Agents and their queues</h2>
      {has.data ? <Agents agents={has.data} /> : <Loading what="agents" />}
      <h2>Workers</h2>
      {alive.data ? <Workers workers={alive.data} /> : <Loading what="workers" />}
      {plans.data && plans.data.length > 0 ? (
        <>
          <h2>Schedules</h2>
          <table>
            <thead>
              <tr>
                <th>Schedule</th>
                <th>Agent</th>
                <th>When</th>
                <th className="number">Next</th>
              </tr>
            </thead>
            <tbody>
              {plans.data.map(({ name, agent, cron, timezone, nextAt }) => (
                <tr key={name}>
                  <td>{name}</td>
                  <td>{agent}</td>
                  <td>
                    <code>{cron}</code> <span className="faint">{timezone}</span>
                  </td>
                  <td className="number" data-of="next">
                    {nextAt ? <Time at={nextAt} /> : "never"}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </>
      ) : null}
    </>
  );
}

const ENDS = ["succeeded", "cancelled", "failed", "dead"] as const;

/** Runs that ended, minute by minute. */
function Throughput({ minutes }: { readonly minutes: readonly Minute[] }) {
  const among = (shown: readonly Minute[]) =>
    ENDS.map((status) => ({
      kind: status,
      amount: shown.reduce((sum, { [status]: n }) => sum + n, 0),
    })).filter(({ amount }) => amount > 0);
  const told = (shown: readonly Minute[]) =>
    among(shown)
      .map(({ kind, amount }) => `${amount} ${kind}`)
      .join(", ") || "none";
  return (
    <section className="throughput">
      <h2>
        Throughput <span className="faint">{told(minutes)} in the last hour</span>
      </h2>
      <Columns
        label={`Runs that ended in the last hour, minute by minute: ${told(minutes)}`}
        text={String}
        columns={minutes.map((minute) => ({
          key: minute.at,
          name: clock(Date.parse(minute.at)).slice(0, 5),
          told: `${clock(Date.parse(minute.at)).slice(0, 5)}: ${told([minute])}`,
          parts: among([minute]),
        }))}
      />
    </section>
  );
}

function Agents({ agents }: { readonly agents: readonly Agent[] }) {
  if (agents.length === 0)
    return (
      <Empty title="No agent is known">
        Register one with <code>hf.agent</code> and start a worker.
      </Empty>
    );
  return (
    <table>
      <thead>
        <tr>
          <th>Agent</th>
          <th>Versions that workers have</th>
          <th className="number">Queued</th>
          <th className="number">Running</th>
          <th className="number">Waiting</th>
        </tr>
      </thead>
      <tbody>
        {agents.map(({ name, versions, queued, running, waiting }) => (
          <tr key={name}>
            <td>
              <Link data-row to={`/?${new URLSearchParams({ agent: name })}`}>
                {name}
              </Link>
            </td>
            <td>
              {versions.length === 0 ? <span className="mark warn">no living worker has it</span> : null}
              {versions.map(({ version, workers }) => `${version ?? "no version"} × ${workers}`).join(", ")}
            </td>
            <Count agent={name} status="queued" n={queued} />
            <Count agent={name} status="running" n={running} />
            <Count agent={name} status="waiting" n={waiting} />
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const Count = ({
  agent,
  status,
  n,
}: {
  readonly agent: string;
  readonly status: string;
  readonly n: number;
}) => (
  <td className="number" data-of={status}>
    {n === 0 ? (
      <span className="faint">0</span>
    ) : (
      <Link to={`/?${new URLSearchParams({ agent, status })}`}>{n}</Link>
    )}
  </td>
);

function Workers({ workers }: { readonly workers: readonly Worker[] }) {
  if (workers.length === 0)
    return <Empty title="No worker is alive">Runs of the fleet stay queued until one is started.</Empty>;
  return (
    <table>
      <thead>
        <tr>
          <th>Worker</th>
          <th>State</th>
          <th className="wide">Version</th>
          <th className="number">Runs it holds</th>
          <th className="number">Started</th>
          <th className="number wide">Lease until</th>
        </tr>
      </thead>
      <tbody>
        {workers.map(({ worker, host, pid, version, startedAt, until, alive, leases }) => (
          <tr key={worker}>
            <td className="id">
              {host}:{pid}
            </td>
            <td>
              {alive ? (
                <span className="status tone-good">✓ alive</span>
              ) : (
                <span className="status tone-bad">✕ gone, its runs wait for a takeover</span>
              )}
            </td>
            <td className="wide">{version}</td>
            <td className="number" data-of="runs it holds">
              {leases}
            </td>
            <td className="number" data-of="started">
              <Time at={startedAt} />
            </td>
            <td className="number wide">
              <Time at={until} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
