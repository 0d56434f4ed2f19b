import type { Line } from "./session.ts";

/** The lines with `by` more of a product; a line that falls to zero goes. Pure, for `session.update("cart", …)`. */
export function change(lines: readonly Line[], sku: string, by: number): Line[] {
  const before = lines.find((line) => line.sku === sku);
  const count = Math.min((before?.count ?? 0) + by, 99);
  if (count <= 0) return lines.filter((line) => line !== before);
  if (!before) return [...lines, { sku, count }];
  return lines.map((line) => (line === before ? { sku, count } : line));
}

export function countOf(lines: readonly Line[]): number {
  return lines.reduce((sum, { count }) => sum + count, 0);
}
