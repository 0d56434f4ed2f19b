import type { Line } from "./session.ts";

export const products = [
  { sku: "blanket", name: "Linen blanket", price: 8900, about: "Washed soft, heavy enough to hold you." },
  { sku: "mask", name: "Silk sleep mask", price: 2400, about: "Mulberry silk. It is night when you say so." },
  { sku: "pillow", name: "Buckwheat pillow", price: 4200, about: "Remembers the shape of your head." },
  { sku: "tea", name: "Valerian tea", price: 950, about: "Twenty bags, about twenty naps." },
  { sku: "lamp", name: "Moon lamp", price: 5600, about: "Sets in thirty minutes, like the other one." },
  { sku: "bottle", name: "Hot-water bottle", price: 2800, about: "In a jacket of lambswool." },
  { sku: "socks", name: "Bed socks", price: 1900, about: "Not for walking." },
  { sku: "rain", name: "Rain machine", price: 7400, about: "Drizzle, downpour, tin roof." },
  { sku: "clock", name: "Kind alarm clock", price: 6300, about: "Asks first." },
] as const;

export type Product = (typeof products)[number];
export type Sku = Product["sku"];

const bySku = new Map<string, Product>(products.map((product) => [product.sku, product]));

/** The product of a line; `undefined` when the shop no longer has it. */
export function productOf({ sku }: Line): Product | undefined {
  return bySku.get(sku);
}

/** In cents; what the shop no longer has costs nothing. */
export function totalOf(lines: readonly Line[]): number {
  return lines.reduce((sum, line) => sum + line.count * (productOf(line)?.price ?? 0), 0);
}

const euro = new Intl.NumberFormat("en-IE", { style: "currency", currency: "EUR" });

export function formatPrice(cents: number): string {
  return euro.format(cents / 100);
}
