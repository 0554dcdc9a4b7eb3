import pg from "pg";
import { openHoldfast, step, tx } from "../src/index.ts";

// A process whose transaction is killed by the server while its tool says nothing in it.
const [url] = process.argv.slice(2);
const holdfast = await openHoldfast({ database: url });
const id = `killed-${process.pid}`;
const running = holdfast.run(id, () =>
  step(
    "book",
    async () => {
      const { rows } = await tx().query("select pg_backend_pid() as pid");
      const other = new pg.Client({ connectionString: url });
      await other.connect();
      await other.query("select pg_terminate_backend($1)", [rows[0].pid]);
      await other.query("select pg_sleep(0.2)");
      await other.end();
      return "booked";
    },
    { effect: "transaction" },
  ),
);
await running.catch(() => {});
await holdfast.close();
