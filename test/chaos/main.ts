import { chaos } from "./chaos.ts";

/*
 * npm run chaos [seconds]: three workers, two hundred runs, one of the workers killed every two seconds, others stopped for
 * longer than their lease and continued, the database restarted in the middle. Prints the account; ends with 1 where
 * anything is not as promised.
 */

const seconds = Number(process.argv[2] ?? 60);
const { broken, ...account } = await chaos({
  seconds,
  runs: 200,
  workers: 3,
  log: (line) => console.log(line),
});
console.log(account);
for (const line of broken) console.log(`BROKEN: ${line}`);
console.log(
  broken.length === 0 ? "Nothing was done twice, and nothing is missing." : "This is not as promised.",
);
process.exit(broken.length === 0 ? 0 : 1);
