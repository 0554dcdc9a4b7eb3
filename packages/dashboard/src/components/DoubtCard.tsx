import { useState } from "react";
import { Link } from "react-router";
import { answered, client } from "../api/client.ts";
import { useCommand } from "../api/commands.ts";
import type { Doubt } from "../api/queries.ts";
import { parsed } from "../parsed.ts";
import { paths } from "../paths.ts";
import { useLacks, useName } from "../session.ts";
import { Json } from "../ui/Json.tsx";
import { Time } from "../ui/Time.tsx";

type Resolved = Parameters<(typeof client.runs)[":id"]["resolve"]["$post"]>[0]["json"];

/** A call that may have happened. Nobody but a person who looks at the other side can say. */
export function DoubtCard({ doubt: { runId, step, name, input, key, at, why } }: { readonly doubt: Doubt }) {
  const [output, setOutput] = useState("");
  const [comment, setComment] = useState("");
  const lacks = useLacks("approve");
  const who = useName();
  const resolve = useCommand((json: Resolved) =>
    answered(client.runs[":id"].resolve.$post({ param: { id: runId }, json })),
  );
  const happened = output === "" ? { is: null } : (parsed(output) ?? { is: output });
  const said = comment === "" ? { step } : { step, comment };
  const isOff = resolve.isPending || resolve.isSuccess || lacks !== undefined;
  return (
    <article className="card warn" data-testid="doubt">
      <header>
        <h2>
          Did <code>{name}</code> happen?
        </h2>
        <p className="faint">
          <Link className="id" data-row to={paths.run(runId)}>
            {runId}
          </Link>{" "}
          called it <Time at={at} />: {why}
        </p>
      </header>
      <Json value={input} />
      <p>
        Look on the other side for the key <code className="key">{key}</code>, then say what happened.
      </p>
      <label>
        What it returned, if it happened: JSON or text
        <textarea rows={2} value={output} onChange={({ target }) => setOutput(target.value)} />
      </label>
      <label>
        Comment
        <input
          value={comment}
          placeholder="where you looked"
          onChange={({ target }) => setComment(target.value)}
        />
      </label>
      <ul className="outcomes">
        <li>
          <button
            type="button"
            className="good"
            title={lacks}
            disabled={isOff}
            onClick={() => resolve.mutate({ ...said, happened: happened.is })}
          >
            It happened
          </button>
          <span>
            It is not called again. <code>{JSON.stringify(happened.is)}</code> is recorded as what it
            returned, in the name of {who}, and the run goes on with that.
          </span>
        </li>
        <li>
          <button
            type="button"
            className="bad"
            title={lacks}
            disabled={isOff}
            onClick={() => resolve.mutate({ ...said, didNotHappen: true })}
          >
            It did not happen
          </button>
          <span>
            The run goes on, and may call <code>{name}</code> again, with the same key. If it did happen, that
            is a second time.
          </span>
        </li>
      </ul>
      {resolve.error ? (
        <p className="failed" role="alert">
          {resolve.error.message}
        </p>
      ) : null}
    </article>
  );
}
