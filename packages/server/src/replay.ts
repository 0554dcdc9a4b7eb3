import type { Holdfast, ReplayOptions } from "@holdfast/core";
import type { Shown } from "./shown.ts";

/** How a run is to be replayed, in words that travel: no stubs, which are code. */
export type Replaying = { readonly mode: "trace" } | Omit<ReplayOptions, "stubs">;

/** What came of it, as it is shown. */
export type ShownReplay = ReturnType<Shown["trace"]> | ReturnType<Shown["replayed"]>;

/** Replays a run by the agent that is registered under its agent's name. Throws what `hf.replay` throws. */
export type Replay = (runId: string, replaying: Replaying) => Promise<ShownReplay>;

/** By the agents of this process. */
export const replayHere =
  (hf: Holdfast, shown: Shown): Replay =>
  async (runId, replaying) =>
    replaying.mode === "trace"
      ? shown.trace(await hf.replay(runId, { mode: "trace" }))
      : shown.replayed(replaying.mode, await hf.replay(runId, replaying));
