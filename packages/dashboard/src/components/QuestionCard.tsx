import { useState } from "react";
import { Link } from "react-router";
import { answered, client } from "../api/client.ts";
import { useCommand } from "../api/commands.ts";
import type { Question } from "../api/queries.ts";
import { parsed } from "../parsed.ts";
import { paths } from "../paths.ts";
import { useLacks, useName } from "../session.ts";
import { Json } from "../ui/Json.tsx";
import { JsonEdit } from "../ui/JsonEdit.tsx";
import { Time } from "../ui/Time.tsx";

type Answer = Parameters<(typeof client.questions)[":id"]["answer"]["$post"]>[0]["json"];

interface QuestionCardProps {
  readonly question: Question;
}

/** What a run asks, answered where it stands. What each answer does is said before it is given. */
export function QuestionCard({ question }: QuestionCardProps) {
  const {
    id,
    runId,
    asks,
    name,
    question: text,
    decision,
    need,
    of,
    approved,
    askedAt,
    expiresAt,
  } = question;
  const lacks = useLacks("approve");
  const answer = useCommand((json: Answer) =>
    answered(client.questions[":id"].answer.$post({ param: { id }, json })),
  );
  const give = { lacks, busy: answer.isPending || answer.isSuccess, say: answer.mutate, question };
  return (
    <article className="card ask" data-testid="question">
      <header>
        <h2>
          {asks === "approval" ? (
            <>
              May it call <code>{name}</code>?
            </>
          ) : (
            text
          )}
        </h2>
        <p className="faint">
          <Link className="id" data-row to={paths.run(runId)}>
            {runId}
          </Link>{" "}
          asked <Time at={askedAt} />
          {expiresAt ? (
            <>
              , expires <Time at={expiresAt} />
            </>
          ) : null}
        </p>
      </header>
      {asks === "approval" ? (
        <>
          <Json value={question.input} />
          {decision ? (
            <p>
              Rule <code>{decision.rule}</code> asks{decision.reason ? `: ${decision.reason}` : ""}.
            </p>
          ) : null}
          {need > 1 || of ? (
            <p>
              {need} must approve{of ? `, among ${of.join(", ")}` : ""};{" "}
              {approved.length === 0 ? "nobody has yet" : `${approved.join(", ")} did`}.
            </p>
          ) : null}
          <Approval {...give} />
        </>
      ) : (
        <Input {...give} />
      )}
      {answer.error ? (
        <p className="failed" role="alert">
          {answer.error.message}
        </p>
      ) : null}
    </article>
  );
}

interface GiveProps {
  readonly question: Question;
  readonly lacks: string | undefined;
  readonly busy: boolean;
  readonly say: (answer: Answer) => void;
}

function Approval({ question, lacks, busy, say }: GiveProps) {
  const [comment, setComment] = useState("");
  const [edited, setEdited] = useState<string>();
  const who = useName();
  const { name, need, approved } = question;
  const input = edited === undefined ? undefined : parsed(edited);
  const isBroken = edited !== undefined && input === undefined;
  const said = comment === "" ? {} : { comment };
  const isLast = approved.length + 1 >= need;
  return (
    <>
      <JsonEdit
        change="Change the arguments"
        label="Arguments it is called with, as JSON"
        value={question.input}
        text={edited}
        write={setEdited}
      />
      <label>
        Comment
        <input
          value={comment}
          placeholder="for the record"
          onChange={({ target }) => setComment(target.value)}
        />
      </label>
      <ul className="outcomes">
        <li>
          <button
            type="button"
            className="good"
            title={lacks}
            disabled={busy || isBroken || lacks !== undefined}
            onClick={() =>
              say(input ? { approve: true, input: input.is, ...said } : { approve: true, ...said })
            }
          >
            Approve
          </button>
          <span>
            {isLast ? (
              <>
                The run goes on, and <code>{name}</code> is called with{" "}
                {input ? "your arguments" : "exactly these arguments"}.
              </>
            ) : (
              `Counts as one of ${need}; the run still waits for the others.`
            )}{" "}
            Recorded as {who}.
          </span>
        </li>
        <li>
          <button
            type="button"
            className="bad"
            title={lacks}
            disabled={busy || lacks !== undefined}
            onClick={() => say({ approve: false, ...said })}
          >
            Deny
          </button>
          <span>
            <code>{name}</code> is not called. The run goes on, and the model is told that {who} said no.
          </span>
        </li>
      </ul>
    </>
  );
}

function Input({ question, lacks, busy, say }: GiveProps) {
  const [text, setText] = useState("");
  const who = useName();
  const value = answerIn(text, question.schema);
  return (
    <>
      <label>
        {isText(question.schema) ? "Answer" : "Answer, as JSON or as text"}
        <textarea rows={3} value={text} onChange={({ target }) => setText(target.value)} />
      </label>
      {question.schema === undefined ? null : (
        <details>
          <summary>What may be answered</summary>
          <Json value={question.schema} />
        </details>
      )}
      <ul className="outcomes">
        <li>
          <button
            type="button"
            className="good"
            title={lacks}
            disabled={busy || text === "" || lacks !== undefined}
            onClick={() => say({ value })}
          >
            Answer
          </button>
          <span>
            {text === "" ? (
              "The run goes on with what you answer."
            ) : (
              <>
                The run goes on with <code>{JSON.stringify(value)}</code>.
              </>
            )}{" "}
            Recorded as {who}.
          </span>
        </li>
      </ul>
    </>
  );
}

const isText = (schema: unknown) =>
  typeof schema === "object" && schema !== null && "type" in schema && schema.type === "string";

/** Where text is asked for it is text, be it a number or not; elsewhere what JSON makes of it. */
const answerIn = (text: string, schema: unknown): unknown => {
  const value = isText(schema) ? undefined : parsed(text);
  return value ? value.is : text;
};
