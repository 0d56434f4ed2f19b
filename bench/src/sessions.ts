import { defineSession } from "catnap";
import { z } from "zod";

const numbered = (count: number) => Array.from({ length: count }, (_, n) => `k${n}`);
const strings = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, z.string()]));

/** A hundred keys; filled with 100 bytes each they are the session of 10 KB. */
export const names = numbered(100);
export const big = defineSession({ shared: strings(names) });

/** The browser's session. */
export const thousandNames = numbered(1_000);
export const thousand = defineSession({ shared: strings(thousandNames) });

/** The browser's largest. */
export const manyNames = numbered(10_000);
export const many = defineSession({
  name: "many",
  shared: strings(manyNames),
  limits: { valueBytes: 131_072, sessionBytes: 4_194_304 },
});
