import type { InferResponseType } from "hono/client";
import { useState } from "react";
import { useNavigate } from "react-router";
import { answered, client } from "../api/client.ts";
import { useCommand } from "../api/commands.ts";
import type { Run } from "../api/queries.ts";
import { parsed } from "../parsed.ts";
import { paths } from "../paths.ts";
import { useLacks } from "../session.ts";
import { Ask } from "../ui/Ask.tsx";
import { JsonEdit } from "../ui/JsonEdit.tsx";
import { Parts } from "./Parts.tsx";

const MODES = ["trace", "counterfactual", "mock-tools"] as const;
type Mode = (typeof MODES)[number];
type Trace = Extract<
  InferResponseType<(typeof client.runs)[":id"]["replay"]["$post"], 200>,
  { readonly mode: "trace" }
>;

/** What each does, word for word. */
const modes: Record<Mode, { readonly name: string; readonly says: string }> = {
  trace: {
    name: "Does the code still do what is on record?",
    says: "The agent's code runs over the record. Nothing is called, and nothing is written.",
  },
  counterfactual: {
    name: "What if something had been otherwise?",
    says: "A run of its own. The record answers; models are asked where they are asked something else, and tools are called only where they read.",
  },
  "mock-tools": {
    name: "What would the models say now?",
    says: "A run of its own. Models are asked anew; tools answer what is on record, and none is called.",
  },
};

/** Runs the agent's code over the record of a run. The run itself is only read. */
export function Replay({ run: { id, agent, input } }: { readonly run: Run }) {
  const navigate = useNavigate();
  const lacks = useLacks("operate");
  const [mode, choose] = useState<Mode>("trace");
  const [otherInput, writeInput] = useState<string>();
  const [model, setModel] = useState("");
  const [prompt, setPrompt] = useState("");
  const [trace, setTrace] = useState<Trace>();
  const newInput = parsed(otherInput ?? "");
  const set = {
    ...(newInput ? { input: newInput.is } : {}),
    ...(model === "" ? {} : { model }),
    ...(prompt === "" ? {} : { prompt }),
  };
  const replay = useCommand(async () => {
    const json = mode === "trace" ? { mode } : { mode, set };
    return (await answered(client.runs[":id"].replay.$post({ param: { id }, json }))).json();
  });
  return (
    <Ask
      label="Replay"
      title={`Replay ${id}`}
      why={lacks ?? (agent === undefined ? "It has no agent: only its caller has its code" : undefined)}
      busy={replay.isPending}
      error={replay.error}
      ready={mode === "trace" || otherInput === undefined || newInput !== undefined}
      confirm={(done) =>
        replay.mutate(undefined, {
          onSuccess: (came) => {
            if (came.mode === "trace") return setTrace(came);
            done();
            return void navigate(paths.diff(id, came.id));
          },
        })
      }
    >
      <fieldset className="choices">
        <legend>What is asked</legend>
        {MODES.map((each) => (
          <label key={each}>
            <input
              type="radio"
              name="mode"
              checked={mode === each}
              onChange={() => {
                choose(each);
                setTrace(undefined);
              }}
            />
            {modes[each].name} <span className="faint">{each}</span>
          </label>
        ))}
      </fieldset>
      {mode === "trace" ? null : (
        <>
          <label className="field">
            Another model
            <input value={model} placeholder="the same" onChange={({ target }) => setModel(target.value)} />
          </label>
          <label className="field">
            Another system prompt
            <textarea
              rows={2}
              value={prompt}
              placeholder="the same"
              onChange={({ target }) => setPrompt(target.value)}
            />
          </label>
          <JsonEdit
            change="Change the input"
            label="Input, as JSON"
            value={input}
            text={otherInput}
            write={writeInput}
          />
        </>
      )}
      <p className="why">
        {modes[mode].says} This run is only read
        {mode === "trace" ? "." : "; what differs is shown when the replay has come to its end."}
      </p>
      {trace && mode === "trace" ? <Traced trace={trace} /> : null}
    </Ask>
  );
}

const Traced = ({ trace: { follows, calls, departures } }: { readonly trace: Trace }) => (
  <section className="traced" role="status">
    <p className={follows ? "come" : "gone"}>
      {follows
        ? "✓ The code does what is on record, and nothing else."
        : "✕ The code departs from the record."}{" "}
      <span className="faint">
        {calls} {calls === 1 ? "call was" : "calls were"} answered from it.
      </span>
    </p>
    {departures.map(({ at, step, lane, why, differences }) => (
      <article key={`${at} ${step}`}>
        <p>
          <code>{step ?? lane}</code> {why}
        </p>
        <Parts title="" parts={differences} />
      </article>
    ))}
  </section>
);
