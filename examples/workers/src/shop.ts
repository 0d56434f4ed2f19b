import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import { honoSession, type SessionVariables } from "catnap/hono";
import { createSessions } from "catnap/server";
import { type DurableObjectSql, sqliteStore } from "catnap/sqlite";
import { Hono } from "hono";
import { renderPage } from "./page";
import { createRouter } from "./router";
import { shop } from "./session";

/** The whole app, around the sessions that a Durable Object's SQL keeps. */
export function createShop(storage: DurableObjectSql) {
  // No timer, which would keep the object awake: an alarm sweeps.
  const sessions = createSessions({ definition: shop, store: sqliteStore(storage), sweepInterval: 0 });
  const { router, createContext } = createRouter(sessions);

  const app = new Hono<{ Variables: SessionVariables<typeof shop> }>();
  app.all("/trpc/*", ({ req }) => fetchRequestHandler({ endpoint: "/trpc", req: req.raw, router, createContext }));
  app.use(honoSession(sessions));
  app.get("/", async (c) => c.html(renderPage(await sessions.wake(c.req.raw).snapshot())));
  app.get("/whoami", (c) => {
    const { session } = c.var;
    return c.json({
      theme: session.value("theme"),
      user: session.value("user", null)?.name ?? null,
      cart: session.value("cart"),
    });
  });
  return { fetch: app.fetch, sweep: sessions.sweep };
}
