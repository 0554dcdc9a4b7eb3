import { randomBytes } from "node:crypto";
import { Client } from "pg";
import { inject } from "vitest";

/** An empty database of one's own on the server the tests run on. Ask for one in beforeAll, drop it in afterAll. */
export async function freshDatabase(): Promise<{ url: string; drop(): Promise<void> }> {
  const server = inject("databaseUrl");
  const name = `holdfast_test_${randomBytes(6).toString("hex")}`;
  const url = new URL(server);
  url.pathname = `/${name}`;
  await runOn(server, `create database ${name}`);
  return {
    url: url.href,
    // "force" ends the connections that a test has left open: a killed process does not say goodbye.
    drop: () => runOn(server, `drop database if exists ${name} with (force)`),
  };
}

async function runOn(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
