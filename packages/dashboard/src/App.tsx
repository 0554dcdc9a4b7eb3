import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { NavLink, Route, Routes, useLocation, useParams } from "react-router";
import { Problem } from "./api/client.ts";
import { useFeed } from "./api/feed.ts";
import { doubts, questions, type Session, session } from "./api/queries.ts";
import { Account } from "./components/Account.tsx";
import { Keys } from "./components/Keys.tsx";
import { useKeyboard } from "./keyboard.ts";
import { BudgetsPage } from "./pages/BudgetsPage.tsx";
import { DeadLettersPage } from "./pages/DeadLettersPage.tsx";
import { DiffPage } from "./pages/DiffPage.tsx";
import { FleetPage } from "./pages/FleetPage.tsx";
import { FlowsPage } from "./pages/FlowsPage.tsx";
import { InboxPage } from "./pages/InboxPage.tsx";
import { RunPage } from "./pages/RunPage.tsx";
import { RunsPage } from "./pages/RunsPage.tsx";
import { SignInPage } from "./pages/SignInPage.tsx";
import { paths } from "./paths.ts";
import { SessionContext } from "./session.ts";
import { Empty, Failed, Loading } from "./ui/States.tsx";

export function App() {
  const asked = useQuery(session);
  useSignedOut();
  if (asked.error instanceof Problem && asked.error.status === 401) return <SignInPage />;
  // A server that is away for a moment signs nobody out.
  if (asked.data) return <SignedIn session={asked.data} />;
  return (
    <main>
      {asked.error ? <Failed error={asked.error} retry={asked.refetch} /> : <Loading what="Holdfast" />}
    </main>
  );
}

/** Whoever is told that he is not signed in any more signs in again, whichever request was told so. */
function useSignedOut(): void {
  const queries = useQueryClient();
  useEffect(
    () =>
      queries.getQueryCache().subscribe(({ type, query }) => {
        const { error } = query.state;
        const isRefused = type === "updated" && error instanceof Problem && error.status === 401;
        if (isRefused && query.queryKey[0] !== "session")
          void queries.resetQueries({ queryKey: ["session"] });
      }),
    [queries],
  );
}

function SignedIn({ session }: { readonly session: Session }) {
  const [keysShown, showKeys] = useState(false);
  const hears = useFeed();
  useKeyboard(() => showKeys(true));
  const { pathname } = useLocation();
  return (
    <SessionContext value={session}>
      <header className="bar">
        <NavLink to={paths.runs} className="brand">
          Holdfast
        </NavLink>
        <nav aria-label="Pages">
          <NavLink to={paths.runs} className={pathname.startsWith("/runs/") ? "active" : ""} end>
            Runs
          </NavLink>
          <NavLink to={paths.inbox}>
            Inbox <Waiting />
          </NavLink>
          <NavLink to={paths.deadLetters}>Dead letters</NavLink>
          <NavLink to={paths.flows}>Flows</NavLink>
          <NavLink to={paths.budgets}>Budgets</NavLink>
          <NavLink to={paths.fleet}>Fleet</NavLink>
        </nav>
        <span role="status">
          {hears ? null : (
            <span className="mark warn" title="What is shown may be old. The server is asked again.">
              not connected
            </span>
          )}
        </span>
        <Account name={session.name} showKeys={() => showKeys(true)} />
      </header>
      <main>
        <Routes>
          <Route path="/" element={<RunsPage />} />
          <Route path="/runs/:id" element={<OneRun />} />
          <Route path="/inbox" element={<InboxPage />} />
          <Route path="/dead-letters" element={<DeadLettersPage />} />
          <Route path="/flows" element={<FlowsPage />} />
          <Route path="/budgets" element={<BudgetsPage />} />
          <Route path="/fleet" element={<FleetPage />} />
          <Route path="/diff" element={<DiffPage />} />
          <Route path="*" element={<Empty title="There is no such page">Look at the address.</Empty>} />
        </Routes>
      </main>
      <Keys open={keysShown} close={() => showKeys(false)} />
    </SessionContext>
  );
}

/** Another run is another page: nothing of the one before stays. */
function OneRun() {
  const { id = "" } = useParams();
  return <RunPage key={id} id={id} />;
}

/** How much waits for people. */
function Waiting() {
  const asked = useQuery(questions());
  const inDoubt = useQuery(doubts());
  const count = (asked.data?.length ?? 0) + (inDoubt.data?.length ?? 0);
  return count === 0 ? null : (
    <span className="count" title={`${count} waiting for a person`}>
      {count}
    </span>
  );
}
