// The app that runs in every runtime: tRPC with the session, and pages by `sessions.run`, behind one fetch handler.
import { initTRPC } from "@trpc/server";
import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import { counter, defineSession } from "catnap";
import { createSessions, type SessionStore, type WakeSource } from "catnap/server";
import superjson from "superjson";
import * as z from "zod";

export const shop = defineSession({
  shared: { theme: z.enum(["light", "dark"]).default("light"), visits: counter(), note: z.string() },
  readonly: { user: z.object({ name: z.string() }) },
});

export function createApp(store: SessionStore) {
  const sessions = createSessions({ definition: shop, store });
  const createContext = (source: WakeSource) => ({ session: sessions.wake(source) });
  const t = initTRPC.context<typeof createContext>().create({ transformer: superjson });
  const procedure = t.procedure.use(sessions.middleware);
  const router = t.router({
    session: sessions.router({ procedure }),
    login: procedure.input(z.object({ name: z.string() })).mutation(({ ctx, input }) => {
      ctx.session.login(input.name);
      ctx.session.setValue("user", { name: input.name });
    }),
    logout: procedure.input(z.object({})).mutation(({ ctx }) => ctx.session.invalidate()),
  });

  async function fetch(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith("/trpc/"))
      return fetchRequestHandler({ endpoint: "/trpc", req: request, router, createContext });
    // For the checks: how many records the store has.
    if (pathname === "/records") return Response.json((await store.find({ limit: 100 })).items.length);
    return sessions.run(request, (session) => {
      if (pathname === "/visit") session.update("visits", (n) => n + 1);
      return Response.json({
        theme: session.value("theme"),
        visits: session.value("visits"),
        user: session.value("user", null)?.name ?? null,
      });
    });
  }

  return { fetch, sessions, router };
}

export type AppRouter = ReturnType<typeof createApp>["router"];
