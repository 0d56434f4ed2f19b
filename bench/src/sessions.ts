import { defineSession } from "catnap";
import { z } from "zod";

/** A hundred keys `k0` … `k99`; filled with 100 bytes each it is the session of 10 KB. */
export const names = Array.from({ length: 100 }, (_, n) => `k${n}`);
export const big = defineSession({ shared: Object.fromEntries(names.map((name) => [name, z.string()])) });
