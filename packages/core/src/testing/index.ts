export { type AdapterContract, adapterContract } from "./adapter-contract.ts";
export type { ContractAgent, ContractBench, ContractTurn } from "./contract-bench.ts";
export { type Crash, Crashed, type CrashingPool, crashing, type Tap, tapped } from "./crash.ts";
export { type DatabaseContract, databaseContract } from "./database-contract.ts";
export { type FixtureOptions, replayFixture } from "./fixture.ts";
export {
  answered,
  doubted,
  entriesOf,
  given,
  intended,
  observed,
  refused,
  resampled,
  resolved,
  started,
  took,
} from "./given.ts";
export { withoutSockets } from "./no-sockets.ts";
export { openWireProxy, type WireProxy } from "./wire-proxy.ts";
