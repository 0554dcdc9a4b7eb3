import pg from "pg";

/** A connection of one's own: the process it was told of at connecting, and the one that answers. */
export async function ownSession(connection: Readonly<Record<string, unknown>>) {
  const client = new pg.Client(connection);
  await client.connect();
  return {
    said: (client as unknown as { processID: number }).processID, // the driver keeps it, its types do not tell
    found: async (sql: string) => (await client.query<{ pid: number }>(sql)).rows[0]?.pid ?? 0,
    end: () => client.end(),
  };
}
