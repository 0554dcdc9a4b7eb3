import { useQuery } from "@tanstack/react-query";
import { doubts, questions } from "../api/queries.ts";
import { DoubtCard } from "../components/DoubtCard.tsx";
import { QuestionCard } from "../components/QuestionCard.tsx";
import { Empty, Failed, Loading } from "../ui/States.tsx";

/** All that waits for a person: doubts first, because somebody's money may be on its way twice. */
export function InboxPage() {
  const asked = useQuery(questions());
  const inDoubt = useQuery(doubts());
  const error = asked.error ?? inDoubt.error;
  const isEmpty = asked.data?.length === 0 && inDoubt.data?.length === 0;
  return (
    <>
      <title>Inbox · Holdfast</title>
      <h1>Inbox</h1>
      {error ? (
        <Failed error={error} retry={() => Promise.all([asked.refetch(), inDoubt.refetch()])} />
      ) : null}
      {!error && !(asked.data && inDoubt.data) ? <Loading what="what waits for you" /> : null}
      {isEmpty ? (
        <Empty title="Nothing waits for you">
          Questions of runs and calls in doubt appear here by themselves.
        </Empty>
      ) : null}
      <div className="cards">
        {inDoubt.data?.map((doubt) => (
          <DoubtCard key={`${doubt.runId} ${doubt.step}`} doubt={doubt} />
        ))}
        {asked.data?.map((question) => (
          <QuestionCard key={question.id} question={question} />
        ))}
      </div>
    </>
  );
}
