import type { Sessions } from "@catnap/server";
import { counter, defineSession, merge, value } from "@catnap/shared";
import { initTRPC, TRPCError } from "@trpc/server";
import superjson from "superjson";
import { z } from "zod";

/** A thousand more keys, typed as one; `k(7)` names one of them. */
const thousand = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`k${i}`, z.string()])) as {
  k0: z.ZodString;
};
export const k = (i: number) => `k${i}` as "k0";

export const shop = defineSession({
  shared: {
    theme: z.enum(["light", "dark"]).default("light"),
    note: z.string(),
    when: z.date(),
    cart: value(z.array(z.object({ sku: z.string(), qty: z.number() })).default([]), { merge: merge.byId("sku") }),
    visits: counter(),
    pin: value(z.string(), { disk: false }),
    draft: value(z.string(), { adopt: true }),
    basket: value(z.array(z.string()).default([]), { merge: merge.union, adopt: true }),
    laps: value(z.number().default(0), { merge: (base = 0, mine, theirs) => theirs + mine - base, adopt: true }),
    ...thousand,
  },
  readonly: { user: z.object({ name: z.string() }) },
  secret: { csrf: z.string() },
});
export type Shop = typeof shop;

/** An app around the session, with procedures of its own. */
export function createRouter(sessions: Sessions<Shop, "session">) {
  const t = initTRPC.context<{ session: ReturnType<typeof sessions.wake> }>().create({
    transformer: superjson,
    errorFormatter: ({ shape, error }) => ({ ...shape, data: { ...shape.data, ...sessions.errorData(error) } }),
  });
  const procedure = t.procedure.use(sessions.middleware);
  /** What an app has of its own. */
  const app = {
    /** Takes the cart and empties it. */
    checkout: procedure.mutation(({ ctx }) => {
      const cart = ctx.session.value("cart");
      ctx.session.setValue("cart", []);
      return cart;
    }),
    note: procedure.mutation(({ ctx }) => ctx.session.value("note", null)),
    count: procedure.mutation(({ ctx }) => ctx.session.value("visits")),
    refuse: procedure.mutation(({ ctx }) => {
      ctx.session.setValue("note", "never");
      throw new TRPCError({ code: "BAD_REQUEST", message: `refused ${ctx.session.value("cart").length}` });
    }),
    logout: procedure.mutation(({ ctx }) => ctx.session.invalidate()),
    /** To a session of the subject's own, with the cart of the one at hand. */
    relogin: procedure.mutation(({ ctx }) => {
      ctx.session.login("ann", { replace: true, keep: ["cart"] });
      return ctx.session.identifier();
    }),
    overfill: procedure.mutation(({ ctx }) => {
      for (let i = 0; i < 10; i++) ctx.session.setValue(k(i), "x".repeat(120_000));
    }),
    pin: procedure.input(z.string()).mutation(({ ctx, input }) => ctx.session.setValue("pin", input)),
    upload: procedure.input(z.instanceof(FormData)).mutation(({ ctx }) => ctx.session.value("note", null)),
    seen: procedure.query(({ ctx }) => ctx.session.value("note", null)),
    visit: procedure.query(({ ctx }) => ctx.session.update("visits", (n) => n + 1)),
    clear: procedure.mutation(({ ctx }) => ctx.session.delValue("theme")),
    plain: t.procedure.mutation(() => "done"),
  };
  return t.router({ session: sessions.router({ procedure }), ...app });
}
