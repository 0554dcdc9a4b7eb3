import { type CommandName, type Tellable, whyNot } from "@holdfast/core/run";
import { Link } from "react-router";
import { answered, client } from "../api/client.ts";
import { useCommand } from "../api/commands.ts";
import type { Run } from "../api/queries.ts";
import { paths } from "../paths.ts";
import { useLacks } from "../session.ts";
import type { Entry } from "../timeline/entry.ts";
import { Ask } from "../ui/Ask.tsx";
import { RaiseBudget } from "./RaiseBudget.tsx";
import { Replay } from "./Replay.tsx";

type Told = Exclude<CommandName, "send">;

/** What each will do, word for word. */
const effects: Record<Told, { readonly label: string; readonly says: string; readonly tone?: "bad" }> = {
  pause: {
    label: "Pause",
    says: "Calls that are under way may settle. Then the run parks: it holds no process, and goes on when it is resumed.",
  },
  resume: {
    label: "Resume",
    says: "The run is queued, and goes on where it stopped. What is on record is not done again.",
  },
  cancel: {
    label: "Cancel",
    says: "The run ends for good. Calls that are under way are aborted; those with an effect may have happened, and are then in doubt. This cannot be taken back.",
    tone: "bad",
  },
  redrive: {
    label: "Redrive",
    says: "The run is queued anew with its ledger: recorded calls return what they returned, and only what is missing is done.",
  },
};

interface RunCommandsProps {
  readonly run: Run;
  readonly entries: readonly Entry[];
}

export function RunCommands({ run, entries }: RunCommandsProps) {
  const tellable = tellableOf(run, entries);
  const isOver = run.finishedAt !== undefined;
  const names: Told[] = isOver
    ? ["redrive"]
    : tellable.command === "pause"
      ? ["resume", "cancel"]
      : ["pause", "cancel"];
  const offered = names.filter((name) => name !== "redrive" || whyNot(name, tellable) === undefined);
  return (
    <div className="commands">
      {offered.map((name) => (
        <Command key={name} name={name} id={run.id} why={whyNot(name, tellable)} />
      ))}
      {run.budget.cap !== undefined && !isOver ? <RaiseBudget run={run} /> : null}
      <Replay run={run} />
      <Link className="button" to={paths.flow(run.id)}>
        Flow
      </Link>
      <Link className="button" to={paths.diff(run.id)}>
        Compare
      </Link>
      <a className="button" href={`/v1/runs/${encodeURIComponent(run.id)}/export`} download>
        Export
      </a>
    </div>
  );
}

function Command({
  name,
  id,
  why,
}: {
  readonly name: Told;
  readonly id: string;
  readonly why: string | undefined;
}) {
  const lacks = useLacks("operate");
  const tell = useCommand(() =>
    name === "redrive"
      ? answered(client.runs[":id"].redrive.$post({ param: { id }, json: {} }))
      : answered(client.runs[":id"][name].$post({ param: { id } })),
  );
  const { label, says, tone } = effects[name];
  return (
    <Ask
      label={label}
      title={`${label} ${id}`}
      why={lacks ?? (why && `Not now: ${why}`)}
      {...(tone ? { tone } : {})}
      busy={tell.isPending}
      error={tell.error}
      confirm={(done) => tell.mutate(undefined, { onSuccess: done })}
    >
      <p>{says}</p>
    </Ask>
  );
}

/** What the run has been told so far stands in its entries. */
function tellableOf({ status }: Run, entries: readonly Entry[]): Tellable {
  const start = entries.find((entry) => entry.kind === "start");
  const told = entries.findLast(
    (entry) => entry.kind === "command" && ["pause", "cancel", "resume", "redrive"].includes(entry.command),
  );
  const command =
    told?.kind === "command" && (told.command === "pause" || told.command === "cancel") ? told.command : null;
  return { status, inline: start?.inline ?? false, command };
}
