import { counter, defineSession, merge, value } from "catnap";
import { z } from "zod";

const Line = z.object({ sku: z.string(), count: z.number() });

export const shop = defineSession({
  shared: {
    theme: z.enum(["light", "dark"]).default("light"),
    cart: value(z.array(Line).default([]), { merge: merge.byId("sku") }),
    visits: counter(),
  },
  readonly: { user: z.object({ id: z.string() }) },
  secret: { seed: z.string() },
});

export const forum = defineSession({ name: "forum", shared: { draft: z.string().default("") } });
