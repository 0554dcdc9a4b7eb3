import type { TestProject } from "vitest/node";

/**
 * The Postgres that tests run on: DATABASE_URL if it is set, otherwise an embedded one that forgets on power loss.
 * Every project that names this file as its globalSetup calls it; they share one server, kept by the root project.
 */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  if (project.vitest.getRootProject().getProvidedContext().databaseUrl) return undefined;
  if (process.env.DATABASE_URL) {
    project.vitest.provide("databaseUrl", process.env.DATABASE_URL);
    return undefined;
  }
  const { startEmbeddedPostgres } = await import("../packages/embedded-postgres/src/index.ts");
  const postgres = await startEmbeddedPostgres({ durable: false, lingerSeconds: 300 });
  project.vitest.provide("databaseUrl", postgres.url);
  return async () => {
    await postgres.stop();
  };
}

declare module "vitest" {
  export interface ProvidedContext {
    databaseUrl: string;
  }
}
