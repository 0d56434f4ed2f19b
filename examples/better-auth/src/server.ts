import { serve } from "@hono/node-server";
import { serveStatic } from "@hono/node-server/serve-static";
import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import { honoSession, type SessionVariables } from "catnap/hono";
import { Hono } from "hono";
import { auth } from "./auth";
import { renderPage } from "./page";
import { appRouter, createContext } from "./router";
import type { shop } from "./session";
import { sessions } from "./sessions";

const app = new Hono<{ Variables: SessionVariables<typeof shop> }>();
app.on(["GET", "POST"], "/api/auth/*", ({ req }) => auth.handler(req.raw));
app.all("/trpc/*", ({ req }) =>
  fetchRequestHandler({ endpoint: "/trpc", req: req.raw, router: appRouter, createContext }),
);
app.use("/main.js", serveStatic({ root: "public" }));
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

// Somebody to log in as.
await auth.api.signUpEmail({
  body: { name: "Ada", username: "ada", email: "ada@example.com", password: "analytical engine" },
});
serve({ fetch: app.fetch, port: Number(process.env.PORT ?? 3000) }, ({ port }) => {
  console.log(`http://localhost:${port}`);
});
