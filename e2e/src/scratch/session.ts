import { counter, defineSession } from "catnap";
import { z } from "zod";

/** What the scratch page keeps: small things, and some of 50,000 characters. */
export const scratch = defineSession({
  shared: {
    note: z.string(),
    clicks: counter(),
    a: z.string(),
    b: z.string(),
    c: z.string(),
    d: z.string(),
  },
});
