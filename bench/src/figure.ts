/** One line of the table: what was measured, against what, and how it should compare. */
export interface Figure {
  readonly what: string;
  readonly ours: string;
  /** The rival or ceiling of the same run, by name. */
  readonly rival: string;
  readonly ratio: number;
  readonly target: { readonly least: number } | { readonly most: number };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** `most 1.3` and `least 3` as a column; a figure that misses says so. */
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
  const lines = [["figure", "ours", "against", "ratio", "target", ""], ...rows];
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
