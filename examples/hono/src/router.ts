import { initTRPC } from "@trpc/server";
import type { WakeSource } from "catnap/server";
import * as z from "zod";
import { sessions } from "./sessions";

export const createContext = (options: WakeSource) => ({ session: sessions.wake(options) });

const t = initTRPC.context<typeof createContext>().create();
const procedure = t.procedure.use(sessions.middleware);

export const appRouter = t.router({
  session: sessions.router({ procedure }),
  login: procedure.input(z.object({ name: z.string().min(1) })).mutation(({ ctx, input }) => {
    ctx.session.login(input.name); // a new token, the same session
    ctx.session.setValue("user", { name: input.name });
  }),
});
export type AppRouter = typeof appRouter;
