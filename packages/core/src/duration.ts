import ms from "ms";
import { HoldfastError } from "./errors.ts";

/** A duration in seconds, from text such as `30d`, `12h`, `90s`, or from milliseconds. Throws INVALID_ARGUMENT. */
export function secondsOf(argument: string, duration: string | number): number {
  const milliseconds = typeof duration === "number" ? duration : ms(duration as ms.StringValue);
  if (typeof milliseconds === "number" && Number.isFinite(milliseconds) && milliseconds >= 0)
    return milliseconds / 1000;
  const why = `is no duration: ${String(duration)}; write 30d, 12h, 90s, or a number of milliseconds`;
  throw new HoldfastError("INVALID_ARGUMENT", { argument, why });
}
