import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import { initTRPC } from "@trpc/server";
import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import { createSessions, memoryStore, type WakeSource } from "catnap/server";
import { build } from "esbuild";
import { many, thousand } from "./sessions.ts";

const sessions = createSessions({ definition: thousand, store: memoryStore() });
const manySessions = createSessions({ definition: many, store: memoryStore(), contextKey: "many" });
const createContext = (options: WakeSource) => ({
  session: sessions.wake(options),
  many: manySessions.wake(options),
});
const t = initTRPC.context<typeof createContext>().create();
const procedure = t.procedure.use(sessions.middleware).use(manySessions.middleware);
const router = t.router({ session: sessions.router({ procedure }), many: manySessions.router({ procedure }) });

/** Serves a page of the browser's figures, bundled from `entry`, and the page's sessions. */
export async function startPageServer(entry: string): Promise<{ origin: string; server: Server }> {
  const { outputFiles } = await build({
    entryPoints: [new URL(entry, import.meta.url).pathname],
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    define: { "process.env.NODE_ENV": '"production"' },
  });
  const page = `<!doctype html><script type="module">${outputFiles[0]!.text.replaceAll("</script", "<\\/script")}</script>`;
  const html = () => new Response(page, { headers: { "content-type": "text/html; charset=utf-8" } });
  const server = serve({
    fetch: (req) =>
      req.url.includes("/trpc/") ? fetchRequestHandler({ endpoint: "/trpc", req, router, createContext }) : html(),
    port: 0,
    hostname: "127.0.0.1",
  }) as Server;
  await once(server, "listening");
  // A browser takes a secure cookie from localhost over plain HTTP, from 127.0.0.1 it does not.
  return { origin: `http://localhost:${(server.address() as AddressInfo).port}`, server };
}
