/** Something to be timed: `rounds` of it make a block. */
export interface Contestant {
  readonly name: string;
  /** Does one block; gives back the seconds each of its parts took, or how many parts were done in how many seconds. */
  readonly block: () => Promise<Block>;
}

export interface Block {
  readonly parts: number;
  readonly seconds: number;
  /** Median of one part, in milliseconds, where parts are timed one by one. */
  readonly p50Ms?: number;
}

export interface Measured {
  readonly name: string;
  readonly perSecond: number;
  readonly p50Ms: number | undefined;
}

/** Blocks of all contestants take turns, so that what disturbs the machine disturbs all. The median of each counts. */
export async function takeTurns(contestants: readonly Contestant[], blocks = 7): Promise<Measured[]> {
  const taken = contestants.map(() => [] as Block[]);
  for (const { block } of contestants) await block(); // warm: connections, prepared statements, compiled code
  for (let i = 0; i < blocks; i++) {
    for (const [n, { block }] of contestants.entries()) taken[n]?.push(await block());
  }
  return contestants.map(({ name }, n) => ({
    name,
    perSecond: median((taken[n] ?? []).map(({ parts, seconds }) => parts / seconds)),
    p50Ms:
      taken[n]?.[0]?.p50Ms === undefined ? undefined : median((taken[n] ?? []).map(({ p50Ms = 0 }) => p50Ms)),
  }));
}

/** One part after another, each timed. */
export async function oneByOne(parts: number, part: (i: number) => Promise<unknown>): Promise<Block> {
  const times: number[] = [];
  const started = performance.now();
  for (let i = 0; i < parts; i++) {
    const from = performance.now();
    await part(i);
    times.push(performance.now() - from);
  }
  return { parts, seconds: (performance.now() - started) / 1000, p50Ms: median(times) };
}

/** `lanes` at a time, each doing its share of the parts. */
export async function sideBySide(
  lanes: number,
  parts: number,
  part: (lane: number, i: number) => Promise<unknown>,
): Promise<Block> {
  const each = Math.ceil(parts / lanes);
  const started = performance.now();
  await Promise.all(
    Array.from({ length: lanes }, async (_, lane) => {
      for (let i = 0; i < each; i++) await part(lane, i);
    }),
  );
  return { parts: each * lanes, seconds: (performance.now() - started) / 1000 };
}

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

export function print(
  title: string,
  rows: readonly Measured[],
  ratios: Readonly<Record<string, string>>,
): void {
  console.log(`\n${title}`);
  for (const { name, perSecond, p50Ms } of rows) {
    const p50 = p50Ms === undefined ? "" : `  p50 ${p50Ms.toFixed(3)} ms`;
    console.log(`  ${name.padEnd(44)} ${Math.round(perSecond).toLocaleString("en").padStart(9)}/s${p50}`);
  }
  for (const [name, ratio] of Object.entries(ratios)) console.log(`  → ${name}: ${ratio}`);
}
