import { openHoldfast } from "@holdfast/core";
import { options, registerAgents, type World } from "./support.ts";

/** A worker in a process of its own. In the tool that it is told, it says so and never comes back. */
const [database = "", hangs, release = "{}"] = process.argv.slice(2);
const say = (at: string) => process.stdout.write(`${JSON.stringify({ at })}\n`);

/** So long does the world take to answer: what is drawn has a length. */
const WORLD_MS: Readonly<Record<string, number>> = { lookup_order: 120, lookup_customer: 260 };
const ELSE_MS = 200;

const world: World = async (tool, key, input) => {
  say(tool);
  if (tool === hangs) await new Promise(() => {});
  await new Promise((resolve) => setTimeout(resolve, WORLD_MS[tool] ?? ELSE_MS));
  return {
    tool,
    done: true,
    ...(input as object),
    ...(key === undefined ? {} : { receipt: `re_${key.slice(3, 11)}` }),
  };
};

const hf = await openHoldfast({ database, ...options });
registerAgents(hf, world, JSON.parse(release));
await hf.worker().start();
say("working");
