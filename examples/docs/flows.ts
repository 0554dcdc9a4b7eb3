import { openHoldfast } from "@holdfast/core";

declare const sales: { of(region: string): Promise<number> };

const hf = await openHoldfast();

// #region flow
const fetcher = hf.agent("fetch", (region: string) => sales.of(region));
const summer = hf.agent(
  "sum",
  (_: unknown, { outputs }) => Number(outputs.north ?? 0) + Number(outputs.south),
);

const flow = await hf.flow("nightly", [
  { name: "north", agent: fetcher, input: "north" },
  { name: "south", agent: fetcher, input: "south" },
  { name: "total", agent: summer, after: [{ name: "north", onFailure: "skip" }, "south"] },
]);
console.log((await flow.result()).total);
// #endregion

// #region after
const north = await hf.start(fetcher, "north");
const total = await hf.start(summer, undefined, { after: [{ run: north, name: "north" }] });
// #endregion
console.log(total.id);

// #region children
const report = hf.agent("report", async (regions: string[]) => {
  const runs = [];
  for (const region of regions) runs.push(await hf.start(fetcher, region));
  return await Promise.all(runs.map((run) => run.result()));
});
// #endregion

// #region schedule
await hf.schedule("nightly report", {
  cron: "0 3 * * *",
  timezone: "Europe/Berlin",
  agent: report,
  input: ["north", "south"],
  missed: "one",
});
// #endregion
