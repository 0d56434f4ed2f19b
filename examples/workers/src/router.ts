import { initTRPC } from "@trpc/server";
import type { Sessions, WakeSource } from "catnap/server";
import * as z from "zod";
import type { shop } from "./session";

export function createRouter(sessions: Sessions<typeof shop>) {
  const createContext = (options: WakeSource) => ({ session: sessions.wake(options) });
  const t = initTRPC.context<typeof createContext>().create();
  const procedure = t.procedure.use(sessions.middleware);
  const router = t.router({
    session: sessions.router({ procedure }),
    login: procedure.input(z.object({ name: z.string().min(1) })).mutation(({ ctx, input }) => {
      ctx.session.login(input.name); // a new token, the same session
      ctx.session.setValue("user", { name: input.name });
    }),
  });
  return { router, createContext };
}
export type AppRouter = ReturnType<typeof createRouter>["router"];
