const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `840 ms`, `2.31 s`, `3 min 12 s`, `4 h 5 min`, `2 d 3 h`. */
export function duration(ms: number): string {
  const at = Math.max(0, ms);
  if (at < SECOND) return `${Math.round(at)} ms`;
  if (at < 10 * SECOND) return `${(at / SECOND).toFixed(2)} s`;
  if (at < MINUTE) return `${(at / SECOND).toFixed(1)} s`;
  if (at < HOUR) return two(at, MINUTE, "min", SECOND, "s");
  if (at < DAY) return two(at, HOUR, "h", MINUTE, "min");
  return two(at, DAY, "d", HOUR, "h");
}

function two(ms: number, large: number, largeName: string, small: number, smallName: string): string {
  const rest = Math.floor((ms % large) / small);
  const whole = `${Math.floor(ms / large)} ${largeName}`;
  return rest === 0 ? whole : `${whole} ${rest} ${smallName}`;
}

/** `just now`, `42 s ago`, `3 min ago`; `in 5 min` for what is to come. */
export function ago(instant: number, now: number): string {
  const ms = now - instant;
  const distance = Math.abs(ms);
  if (distance < 2 * SECOND) return "just now";
  const units = [
    [DAY, "d"],
    [HOUR, "h"],
    [MINUTE, "min"],
    [SECOND, "s"],
  ] as const;
  const [unit, name] = units.find(([unit]) => distance >= unit) ?? [SECOND, "s"];
  const text = `${Math.floor(distance / unit)} ${name}`;
  return ms < 0 ? `in ${text}` : `${text} ago`;
}

/** Micro-dollars as dollars, with as many digits as they need: `$0.0042`, `$1.20`, `$1,250.00`. */
export function money(micros: number): string {
  const dollars = micros / 1_000_000;
  const digits = Math.abs(dollars) >= 1 || micros === 0 ? 2 : Math.abs(dollars) >= 0.01 ? 4 : 6;
  const text = dollars.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: digits });
  return text.startsWith("-") ? `-$${text.slice(1)}` : `$${text}`;
}

/** `812`, `12.3k`, `1.20M`. */
export function tokens(count: number): string {
  if (count < 1000) return String(count);
  return count < 1_000_000 ? `${(count / 1000).toFixed(1)}k` : `${(count / 1_000_000).toFixed(2)}M`;
}

/** A value in one line, cut off where it is long. */
export function oneLine(value: unknown, longest = 160): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
  const flat = text.replace(/\s+/g, " ").trim();
  return flat.length > longest ? `${flat.slice(0, longest - 1)}…` : flat;
}

/** The local date and time, to the second. */
export const dateTime = (instant: number): string =>
  new Date(instant).toLocaleString("sv-SE", { dateStyle: "short", timeStyle: "medium" });

/** The local time, to the millisecond. */
export const clock = (instant: number): string => {
  const date = new Date(instant);
  return `${date.toLocaleTimeString("sv-SE")}.${String(date.getMilliseconds()).padStart(3, "0")}`;
};
