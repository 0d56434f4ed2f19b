import { initTRPC } from "@trpc/server";
import { createSessions, memoryStore, type WakeSource } from "catnap/server";
import superjson from "superjson";
import { z } from "zod";
import { shop } from "./session.js";

export const sessions = createSessions({ definition: shop, store: memoryStore() });
export const createContext = (source: WakeSource) => ({ session: sessions.wake(source) });

export const t = initTRPC.context<typeof createContext>().create({
  transformer: superjson,
  errorFormatter: ({ shape, error }) => ({ ...shape, data: { ...shape.data, ...sessions.errorData(error) } }),
});
export const procedure = t.procedure.use(sessions.middleware);
export const fresh = procedure.use(sessions.requireFresh(300));
export const sessionRouter = sessions.router({ procedure });

export const appRouter = t.router({
  session: sessionRouter,
  login: procedure.input(z.object({ name: z.string() })).mutation(({ ctx, input }) => {
    ctx.session.login(input.name);
    ctx.session.setValue("user", { id: input.name });
  }),
  everything: procedure.query(({ ctx }) => ctx.session.values()),
  erase: fresh.mutation(({ ctx }) => ctx.session.delValue("cart")),
});
export type AppRouter = typeof appRouter;

export const page = (request: Request) =>
  sessions.run(request, (session) => new Response(`Visit ${session.update("visits", (n) => n + 1)}`));
export const count = (request: Request) =>
  sessions.wake(request).run((session) => session.update("visits", (n) => n + 1));
export const policy = () => sessions.policy();
export const devices = (subject: string) => sessions.list({ subject });
export const snapshot = (request: Request) => sessions.wake(request).snapshot();
