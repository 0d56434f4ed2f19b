import { counter, defineSession, merge, value } from "catnap";
import * as z from "zod/mini";

const Line = z.object({ sku: z.string(), count: z.int().check(z.minimum(1), z.maximum(99)) });
export type Line = z.infer<typeof Line>;

/**
 * What a visitor's session holds, declared once for the browser and the server; `session.server.ts` adds what is secret. With
 * `zod/mini`, since it goes into the page.
 */
export const shop = defineSession({
  shared: {
    theme: value(z._default(z.enum(["light", "dark"]), "light"), { adopt: true }),
    cart: value(z._default(z.array(Line), []), { merge: merge.byId("sku") }),
    note: z._default(z.string().check(z.maxLength(500)), ""),
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
