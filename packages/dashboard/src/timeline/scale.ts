/** Where an instant stands on the axis, 0 to 1. Stretches in which nothing happened are drawn short, and named. */
export interface Scale {
  readonly at: (instant: number) => number;
  readonly breaks: readonly Break[];
  readonly ticks: readonly Tick[];
}

export interface Break {
  readonly from: number;
  readonly to: number;
  /** How long it was. */
  readonly ms: number;
}

export interface Tick {
  readonly at: number;
  /** Since the beginning. */
  readonly ms: number;
}

export interface Span {
  readonly from: number;
  readonly to: number;
}

/** A quiet stretch is drawn short where it is longer than this part of the time in which something happened. */
const QUIET = 0.25;
/** How long a quiet stretch is drawn, as a part of that time. */
const DRAWN = 0.08;
/** Nothing shorter is drawn short, in milliseconds: it would hide more than it shows. */
const SHORTEST_MS = 1000;

/** The scale of a timeline in which something happened in `spans`, of which at least one is given. Bounds are included. */
export function scaleOf(spans: readonly Span[]): Scale {
  const busy = united(spans);
  const [first, last] = [busy[0], busy.at(-1)];
  if (!first || !last) return { at: () => 0, breaks: [], ticks: [] };
  const active = busy.reduce((sum, { from, to }) => sum + (to - from), 0);
  const gaps = busy.slice(1).map(({ from }, i) => ({ from: busy[i]?.to ?? from, to: from }));
  const longest = Math.max(SHORTEST_MS, active * QUIET);
  const drawn = Math.max(SHORTEST_MS / 4, active * DRAWN);
  const short = gaps.filter(({ from, to }) => to - from > longest);
  const place = (instant: number) => {
    let hidden = 0;
    for (const { from, to } of short) {
      if (instant <= from) break;
      const passed = (Math.min(instant, to) - from) / (to - from);
      hidden += passed * (to - from - drawn);
    }
    return instant - first.from - hidden;
  };
  const whole = Math.max(1, place(last.to));
  const at = (instant: number) => Math.min(1, Math.max(0, place(instant) / whole));
  return {
    at,
    breaks: short.map(({ from, to }) => ({ from: at(from), to: at(to), ms: to - from })),
    ticks: ticksOf(first.from, last.to, whole, at, short),
  };
}

/** Spans that touch or overlap, as one; in order. */
function united(spans: readonly Span[]): Span[] {
  const done: { from: number; to: number }[] = [];
  for (const { from, to } of [...spans].sort((a, b) => a.from - b.from)) {
    const last = done.at(-1);
    if (last && from <= last.to) last.to = Math.max(last.to, to);
    else done.push({ from, to: Math.max(from, to) });
  }
  return done;
}

/** About so many of them fit. */
const TICKS = 5;

function ticksOf(from: number, to: number, drawn: number, at: Scale["at"], short: readonly Span[]): Tick[] {
  const stepMs = niceStep(drawn / TICKS);
  const ticks: Tick[] = [];
  let last = Number.NEGATIVE_INFINITY;
  for (const { from: start, to: end } of between(from, to, short)) {
    // Not one by one through a stretch of days: it is the parts between the breaks that have ticks.
    for (let ms = Math.ceil((start - from) / stepMs) * stepMs; from + ms <= end; ms += stepMs) {
      const place = at(from + ms);
      if (place - last < 0.5 / TICKS) continue;
      ticks.push({ at: place, ms });
      last = place;
    }
  }
  return ticks;
}

function between(from: number, to: number, short: readonly Span[]): Span[] {
  const starts = [from, ...short.map(({ to }) => to)];
  const ends = [...short.map(({ from }) => from), to];
  return starts.map((start, i) => ({ from: start, to: ends[i] ?? to }));
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const STEPS = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 20, 30].map((n) => n * SECOND),
  ...[1, 2, 5, 10, 20, 30].map((n) => n * MINUTE),
  ...[1, 2, 4, 8, 12, 24].map((n) => n * HOUR),
];

/** The first round number that is not less; beyond a day, whole days. */
const niceStep = (ms: number): number =>
  STEPS.find((step) => step >= ms) ?? Math.ceil(ms / (24 * HOUR)) * 24 * HOUR;
