export const paths = {
  runs: "/",
  run: (id: string) => `/runs/${encodeURIComponent(id)}`,
  inbox: "/inbox",
  deadLetters: "/dead-letters",
  flows: "/flows",
  flowsOf: (name: string) => `/flows?${new URLSearchParams({ name })}`,
  flow: (run: string) => `/flows?${new URLSearchParams({ run })}`,
  budgets: "/budgets",
  fleet: "/fleet",
  diff: (a: string, b = "") => `/diff?${new URLSearchParams({ a, ...(b === "" ? {} : { b }) })}`,
} as const;
