import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import { honoSession, type SessionVariables } from "catnap/hono";
import type { Sessions } from "catnap/server";
import { Hono } from "hono";
import { renderPage } from "./page";
import { createRouter } from "./router";
import type { shop } from "./session";

/** The app around the sessions: made where they are, in the Durable Object. */
export function createServer(sessions: Sessions<typeof shop>) {
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
  return app;
}
