import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import type { InferRequestType, InferResponseType } from "hono/client";
import { answered, client } from "./client.ts";

export type RunSummary = InferResponseType<typeof client.runs.$get, 200>["runs"][number];
type Of = (typeof client.runs)[":id"];
export type Run = InferResponseType<Of["$get"], 200>;
export type Question = InferResponseType<typeof client.questions.$get, 200>["questions"][number];
export type Doubt = InferResponseType<typeof client.doubts.$get, 200>["doubts"][number];
export type DeadLetter = InferResponseType<
  (typeof client)["dead-letters"]["$get"],
  200
>["deadLetters"][number];
export type Worker = InferResponseType<typeof client.workers.$get, 200>["workers"][number];
export type Agent = InferResponseType<typeof client.agents.$get, 200>["agents"][number];
export type RunDiff = InferResponseType<typeof client.diff.$get, 200>;
export type Session = InferResponseType<typeof client.session.$get, 200>;
export type RunFilter = Omit<InferRequestType<typeof client.runs.$get>["query"], "cursor" | "limit">;

/** So often what no entry tells is asked anew: leases that run out, workers that die, a feed that was cut off. */
const SLOWLY_MS = 15_000;
const OFTEN_MS = 2_000;

export const session = queryOptions({
  queryKey: ["session"],
  queryFn: async () => (await answered(client.session.$get())).json(),
  staleTime: 60_000,
});

export const runs = (filter: RunFilter) =>
  infiniteQueryOptions({
    queryKey: ["live", "runs", filter],
    queryFn: async ({ pageParam }) => {
      const query = { ...filter, limit: "50", ...(pageParam === undefined ? {} : { cursor: pageParam }) };
      return (await answered(client.runs.$get({ query }))).json();
    },
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ cursor }) => cursor,
    refetchInterval: SLOWLY_MS,
  });

export const run = (id: string) =>
  queryOptions({
    queryKey: ["live", "run", id],
    queryFn: async () => (await answered(client.runs[":id"].$get({ param: { id } }))).json(),
    refetchInterval: SLOWLY_MS,
  });

export const why = (id: string) =>
  queryOptions({
    queryKey: ["live", "why", id],
    queryFn: async () => (await answered(client.runs[":id"].why.$get({ param: { id } }))).json(),
    refetchInterval: OFTEN_MS,
  });

export const modelRequest = (id: string, step: string) =>
  queryOptions({
    queryKey: ["request", id, step],
    queryFn: async () =>
      (await answered(client.runs[":id"].request.$get({ param: { id }, query: { step } }))).json(),
    staleTime: Number.POSITIVE_INFINITY,
  });

export const questions = (runId?: string) =>
  queryOptions({
    queryKey: ["live", "questions", runId],
    queryFn: async () =>
      (await (await answered(client.questions.$get({ query: runId === undefined ? {} : { runId } }))).json())
        .questions,
    refetchInterval: SLOWLY_MS,
  });

export const doubts = (runId?: string) =>
  queryOptions({
    queryKey: ["live", "doubts", runId],
    queryFn: async () =>
      (await (await answered(client.doubts.$get({ query: runId === undefined ? {} : { runId } }))).json())
        .doubts,
    refetchInterval: SLOWLY_MS,
  });

export const deadLetters = queryOptions({
  queryKey: ["live", "dead-letters"],
  queryFn: async () =>
    (await (await answered(client["dead-letters"].$get({ query: { limit: "500" } }))).json()).deadLetters,
  refetchInterval: SLOWLY_MS,
});

export const workers = queryOptions({
  queryKey: ["live", "workers"],
  queryFn: async () => (await (await answered(client.workers.$get({ query: {} }))).json()).workers,
  refetchInterval: OFTEN_MS,
});

export const agents = queryOptions({
  queryKey: ["live", "agents"],
  queryFn: async () => (await (await answered(client.agents.$get({ query: {} }))).json()).agents,
  refetchInterval: OFTEN_MS,
});

export const diff = (a: string, b: string) =>
  queryOptions({
    queryKey: ["live", "diff", a, b],
    queryFn: async () => (await answered(client.diff.$get({ query: { a, b } }))).json(),
  });

export type BudgetWindow = InferResponseType<typeof client.budgets.$get, 200>["budgets"][number];
export type Flow = InferResponseType<typeof client.flows.$get, 200>["flows"][number];
export type Minute = InferResponseType<typeof client.throughput.$get, 200>["minutes"][number];
export type FlowGraph = InferResponseType<Of["flow"]["$get"], 200>;

export const budgets = queryOptions({
  queryKey: ["live", "budgets"],
  queryFn: async () =>
    (await (await answered(client.budgets.$get({ query: { limit: "1000" } }))).json()).budgets,
  refetchInterval: SLOWLY_MS,
});

export const flows = (name: string | undefined) =>
  infiniteQueryOptions({
    queryKey: ["live", "flows", name],
    queryFn: async ({ pageParam: cursor }) => {
      const query = { ...(name === undefined ? {} : { name }), ...(cursor === undefined ? {} : { cursor }) };
      return (await answered(client.flows.$get({ query }))).json();
    },
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ cursor }) => cursor,
    refetchInterval: SLOWLY_MS,
  });

export const throughput = queryOptions({
  queryKey: ["live", "throughput"],
  queryFn: async () => (await (await answered(client.throughput.$get({ query: {} }))).json()).minutes,
  refetchInterval: SLOWLY_MS,
});

export const flow = (id: string) =>
  queryOptions({
    queryKey: ["live", "flow", id],
    queryFn: async () => (await answered(client.runs[":id"].flow.$get({ param: { id } }))).json(),
    refetchInterval: SLOWLY_MS,
  });

export const schedules = queryOptions({
  queryKey: ["live", "schedules"],
  queryFn: async () => (await (await answered(client.schedules.$get({ query: {} }))).json()).schedules,
  refetchInterval: SLOWLY_MS,
});
