import { counter, defineSession, merge, value } from "catnap";
import * as z from "zod";

const Line = z.object({ sku: z.string(), count: z.int().min(1).max(99) });
export type Line = z.infer<typeof Line>;

/** What a visitor's session holds, declared once for the browser and the server; `session.server.ts` adds what is secret. */
export const shop = defineSession({
  shared: {
    theme: value(z.enum(["light", "dark"]).default("light"), { adopt: true }),
    cart: value(z.array(Line).default([]), { merge: merge.byId("sku") }),
    note: z.string().max(500).default(""),
    visits: counter(),
    purrs: counter(),
  },
  readonly: { user: z.object({ id: z.string(), name: z.string() }) },
});

declare module "catnap/react" {
  interface Register {
    definition: typeof shop;
  }
}
