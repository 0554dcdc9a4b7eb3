import { type Log, openHoldfast } from "@holdfast/core";

declare const logger: Log; // pino({ level: "debug" })
declare const pager: { ring(text: string): Promise<void> };

// #region hooks
const hf = await openHoldfast({
  log: logger,
  hooks: {
    onRun: async ({ runId, at, status }) => {
      if (at === "ends" && status === "failed") await pager.ring(`${runId} failed`);
    },
    onStep: ({ name, at, ms }) => console.log(name, at, ms), // "made", "replayed", "refused", "doubted"
    onQuestion: async ({ runId, text }) => await pager.ring(`${runId} asks: ${text}`),
  },
});
// #endregion
await hf.close();
