import pg from "pg";

/** An empty database for one contestant. */
export async function freshDatabase(url: string, name: string): Promise<string> {
  const database = `holdfast_bench_${name}`;
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`drop database if exists ${database} with (force)`);
  await client.query(`create database ${database}`);
  await client.end();
  const at = new URL(url);
  at.pathname = `/${database}`;
  return at.href;
}
