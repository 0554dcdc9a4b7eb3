export { type Crash, Crashed, type CrashingPool, crashing } from "./crash.ts";
export { openWireProxy, type WireProxy } from "./wire-proxy.ts";
