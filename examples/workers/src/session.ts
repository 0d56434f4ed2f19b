import { defineSession, merge, value } from "catnap";
import * as z from "zod";

export const shop = defineSession({
  shared: {
    theme: z.enum(["light", "dark"]).default("light"),
    cart: value(z.array(z.string()).default([]), { merge: merge.union }), // two tabs add: both stay
  },
  readonly: { user: z.object({ name: z.string() }) }, // the browser reads, the server writes
});
