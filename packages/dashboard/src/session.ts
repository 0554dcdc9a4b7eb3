import { createContext, useContext } from "react";
import type { Session } from "./api/queries.ts";

export const SessionContext = createContext<Session>({ name: "", scopes: [] });

/** Why whoever has signed in may not do this; undefined where they may. */
export function useLacks(scope: Session["scopes"][number]): string | undefined {
  const { name, scopes } = useContext(SessionContext);
  return scopes.includes(scope) ? undefined : `The key ${name} lacks the scope ${scope}`;
}

export const useName = (): string => useContext(SessionContext).name;
