import { derive } from "./mark.ts";
import { proxyOf } from "./proxy.ts";
import type { ComputerTool, RunContext } from "./sdk.ts";
import { callTool } from "./tool-call.ts";

/** What a computer does when it is told to. Each is a call of its own: `computer.click`. */
const ACTIONS = ["click", "doubleClick", "drag", "keypress", "move", "screenshot", "scroll", "type", "wait"];

type Method = (...args: unknown[]) => unknown;

/** The same computer tool, with each computer that it gives held. */
export function holdComputer(tool: ComputerTool): ComputerTool {
  const { computer } = tool;
  return derive(tool, { computer: isMaker(computer) ? holdMaker(computer) : holdActions(computer) });
}

type Maker = Method | { readonly create: Method };

const isMaker = (computer: object): computer is Maker =>
  typeof computer === "function" || typeof (computer as { create?: unknown }).create === "function";

function holdMaker(maker: Maker): object {
  const holding =
    (make: Method): Method =>
    async (...args) =>
      holdActions((await make(...args)) as object);
  if (typeof maker === "function") return holding(maker);
  return derive(maker, { create: holding((...args) => maker.create(...args)) });
}

const holdActions = (computer: object): object =>
  proxyOf(computer, (name, own) => (ACTIONS.includes(name) ? holdAction(name, own) : undefined));

/** The SDK passes the context last. A screenshot only looks. */
function holdAction(name: string, act: Method): Method {
  return (...args) => {
    const runContext = args.at(-1) as RunContext | undefined;
    const call = {
      name: `computer.${name}`,
      input: args.slice(0, -1),
      ...(name === "screenshot" ? { effect: "read" as const } : {}),
    };
    return callTool(undefined, call, runContext, async () => act(...args));
  };
}
