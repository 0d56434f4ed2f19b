import { fileURLToPath } from "node:url";
import { serve } from "@hono/node-server";
import { serveStatic } from "@hono/node-server/serve-static";
import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import { Hono } from "hono";
import { renderPage } from "./page.tsx";
import { appRouter } from "./router.ts";
import { port, sessions } from "./sessions.ts";
import { createContext } from "./trpc.ts";

const built = fileURLToPath(new URL("../client", import.meta.url));

const app = new Hono();
app.all("/trpc/*", ({ req }) =>
  fetchRequestHandler({ endpoint: "/trpc", req: req.raw, router: appRouter, createContext }),
);
app.get("/", ({ req }) => renderPage(req.raw));
app.use("/assets/*", async (c, next) => {
  await next();
  if (c.res.ok) c.header("cache-control", "public, max-age=31536000, immutable");
});
app.use("/assets/*", serveStatic({ root: built }));

const server = serve({ fetch: app.fetch, port, hostname: "127.0.0.1" }, () => {
  console.log(`Forty Winks is open at http://127.0.0.1:${port}`);
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    // Live streams would go on for ever, and connections are kept for a next request: both end here. Requests that are
    // being answered are answered to the end; then the store closes.
    if ("keepAliveTimeout" in server) server.keepAliveTimeout = 1;
    sessions.endStreams();
    server.close(() => void sessions.close());
  });
}
