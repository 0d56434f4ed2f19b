/** One line of the table: what was measured, against what, and how it should compare. */
export interface Figure {
  readonly what: string;
  readonly ours: string;
  /** The rival or ceiling of the same run, by name. */
  readonly rival: string;
  readonly ratio: number;
  readonly target: { readonly least: number } | { readonly most: number };
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) * share)]!;
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** Requests per second of CPU, of what one takes in microseconds. */
export const perSecond = (us: number): string =>
  `${Math.round(1e6 / us).toLocaleString("en")} /CPU-s (${us.toFixed(0)} µs)`;

/** The middle of what each of the two measures, in as many rounds of one after the other; some before warm up. */
export async function inTurn(rounds: number, one: () => Promise<number>, other: () => Promise<number>) {
  const [ones, others]: [number[], number[]] = [[], []];
  for (let n = -rounds / 2; n < rounds; n++) {
    const pair = [await one(), await other()] as const;
    if (n < 0) continue;
    ones.push(pair[0]);
    others.push(pair[1]);
  }
  return [median(ones), median(others)] as const;
}

/** All figures in columns; one that misses its target says so. */
export function table(figures: readonly Figure[]): string {
  const rows = figures.map(({ what, ours, rival, ratio, target }) => {
    const hit = "least" in target ? ratio >= target.least : ratio <= target.most;
    const limit = "least" in target ? `≥ ${target.least}` : `≤ ${target.most}`;
    return [
      what,
      ours,
      rival,
      Number.isInteger(ratio) ? String(ratio) : ratio.toFixed(2),
      limit,
      hit ? "pass" : "MISS",
    ];
  });
  return columns([["figure", "ours", "against", "ratio", "target", ""], ...rows]);
}

/** Lines of as many cells each, one below the other. */
export function columns(lines: readonly (readonly string[])[]): string {
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
