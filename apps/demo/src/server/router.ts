import { randomInt, randomUUID } from "node:crypto";
import { TRPCError } from "@trpc/server";
import * as z from "zod";
import { totalOf } from "../catalogue.ts";
import { sessions } from "./sessions.ts";
import { procedure, router } from "./trpc.ts";

export const appRouter = router({
  session: sessions.router({ procedure }),

  login: procedure.input(z.object({ name: z.string().trim().min(1).max(40) })).mutation(({ ctx, input: { name } }) => {
    const id = name.toLowerCase();
    ctx.session.login(id);
    ctx.session.setValue("user", { id, name });
    ctx.session.setValue("csrfSeed", randomUUID());
  }),

  checkout: procedure.mutation(({ ctx }) => {
    const lines = ctx.session.value("cart");
    if (lines.length === 0) throw new TRPCError({ code: "BAD_REQUEST", message: "The cart is empty" });
    ctx.session.setValue("cart", []);
    ctx.session.setValue("note", "");
    return { order: `FW-${randomInt(1000, 10000)}`, total: totalOf(lines) };
  }),
});

export type AppRouter = typeof appRouter;
