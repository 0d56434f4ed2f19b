// Serves the app by what this runtime has: `serve.js memory|sqlite|redis`. Prints its address; SIGTERM ends it.
import type { Server } from "node:http";
import { createApp } from "./app.ts";
import { stores } from "./stores.ts";

const kept = await stores[process.argv[2] ?? ""]?.();
if (!kept) throw new Error("serve.js takes the name of a store");
const { fetch, sessions } = createApp(kept.store);

/** Listens on a free port, and gives what stops that once the open requests are answered. */
async function listen(): Promise<() => Promise<unknown>> {
  const hostname = "127.0.0.1";
  const told = ({ port }: { port: number }) => console.log(`http://${hostname}:${port}/`);
  if ("Bun" in globalThis) {
    const server = Bun.serve({ hostname, port: 0, idleTimeout: 0, fetch });
    console.log(server.url.href);
    return () => server.stop();
  }
  if ("Deno" in globalThis) {
    const server = Deno.serve({ hostname, port: 0, onListen: told }, fetch);
    return () => server.shutdown();
  }
  const { serve } = await import("@hono/node-server");
  const server = serve({ fetch, hostname, port: 0 }, told) as Server;
  return () => {
    // Connections that have answered their last request need not wait for another.
    server.keepAliveTimeout = 1;
    return new Promise((resolve) => server.close(resolve));
  };
}

const stop = await listen();
process.once("SIGTERM", async () => {
  const stopped = stop();
  sessions.endStreams();
  await stopped;
  await sessions.close();
  await kept.release?.();
  console.log("closed");
  // No exit: nothing may be left that keeps the process alive.
});
