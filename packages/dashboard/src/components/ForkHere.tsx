import { useState } from "react";
import { useNavigate } from "react-router";
import { answered, client } from "../api/client.ts";
import { useCommand } from "../api/commands.ts";
import type { Run } from "../api/queries.ts";
import { parsed } from "../parsed.ts";
import { paths } from "../paths.ts";
import { useLacks } from "../session.ts";
import type { ForkPlaces } from "../timeline/fork.ts";
import type { CallRow } from "../timeline/row.ts";
import { Ask } from "../ui/Ask.tsx";
import { JsonEdit } from "../ui/JsonEdit.tsx";

interface ForkHereProps {
  readonly run: Run;
  readonly call: CallRow;
  readonly places: ForkPlaces;
  /** Whoever calls hf.run does the work. */
  readonly isInline: boolean;
}

/** A new run that shares the entries up to a call, with what is to have been otherwise. */
export function ForkHere({ run: { id, input }, call, places: { behind, before }, isInline }: ForkHereProps) {
  const navigate = useNavigate();
  const lacks = useLacks("operate");
  const [again, makeAgain] = useState(behind === undefined);
  const [otherInput, writeInput] = useState<string>();
  const [otherOutput, writeOutput] = useState<string>();
  const [name, setName] = useState("");
  const at = again ? before : behind;
  const changesOutput = !again && otherOutput !== undefined;
  const [newInput, newOutput] = [parsed(otherInput ?? ""), parsed(otherOutput ?? "")];
  const isBroken =
    (otherInput !== undefined && newInput === undefined) || (changesOutput && newOutput === undefined);
  const set = {
    ...(newInput ? { input: newInput.is } : {}),
    ...(changesOutput && newOutput ? { steps: { [call.step]: { output: newOutput.is } } } : {}),
  };
  const fork = useCommand(async () => {
    const json = { at, set, ...(name === "" ? {} : { id: name }) };
    return (await answered(client.runs[":id"].fork.$post({ param: { id }, json }))).json();
  });
  if (at === undefined) return null;
  return (
    <Ask
      label="Fork here"
      title={`Fork ${id}`}
      why={lacks}
      busy={fork.isPending}
      error={fork.error}
      ready={!isBroken}
      confirm={(done) =>
        fork.mutate(undefined, {
          onSuccess: (forked) => {
            done();
            void navigate(paths.run(forked.id));
          },
        })
      }
    >
      <fieldset className="choices">
        <legend>
          Fork at <code>{call.name}</code>
        </legend>
        {behind === undefined ? null : (
          <label>
            <input type="radio" name="at" checked={!again} onChange={() => makeAgain(false)} />
            Behind it: what it returned is kept
          </label>
        )}
        {before === undefined ? null : (
          <label>
            <input type="radio" name="at" checked={again} onChange={() => makeAgain(true)} />
            Before it: it is made anew
          </label>
        )}
      </fieldset>
      {again || call.output === undefined ? null : (
        <JsonEdit
          change="Change what it returned"
          label={`What ${call.name} is to have returned, as JSON`}
          value={call.output}
          text={otherOutput}
          write={writeOutput}
        />
      )}
      <JsonEdit
        change="Change the input of the run"
        label="Input of the new run, as JSON"
        value={input}
        text={otherInput}
        write={writeInput}
      />
      <label className="field">
        Id of the new run
        <input value={name} placeholder="made up" onChange={({ target }) => setName(target.value)} />
      </label>
      <p className="why">
        The new run begins with a copy of entries 1 to {at}. What they say has happened is not done again;
        everything behind them is done anew, with effects and keys of its own.{" "}
        {isInline ? "It goes on once hf.run is called with its id. " : "A worker picks it up at once. "}
        This run stays as it is.
      </p>
    </Ask>
  );
}
