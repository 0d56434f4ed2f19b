import { counter, defineSession } from "@catnap/shared";
import { initTRPC } from "@trpc/server";
import { createHTTPServer } from "@trpc/server/adapters/standalone";
import { Redis } from "ioredis";
import pg from "pg";
import { createClient } from "redis";
import { z } from "zod";
import { createSessions, type WakeSource } from "../src/index.ts";
import { postgresStore } from "../src/stores/postgres/postgres-store.ts";
import { redisStore } from "../src/stores/redis/redis-store.ts";

// A server process for processes.test.ts: any of several over one store. Tells its port, and serves until it is killed.
const [kind, port] = process.argv.slice(2) as ["postgres" | "ioredis" | "node-redis", string];

async function open() {
  const address = { host: "127.0.0.1", port: Number(port) };
  if (kind === "postgres") {
    const store = postgresStore(new pg.Pool({ ...address, user: "catnap", database: "postgres", max: 5 }));
    await store.migrate();
    return store;
  }
  if (kind === "ioredis")
    return redisStore(new Redis({ ...address, retryStrategy: () => 20 }).on("error", () => undefined));
  const client = createClient({ socket: { ...address, reconnectStrategy: 20 } });
  client.on("error", () => undefined);
  await client.connect();
  return redisStore(client);
}

const own = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`key${i}`, z.number()]));
const definition = defineSession({ shared: { clicks: counter(), ...own } });
const store = await open();
const sessions = createSessions({ definition, store, cookie: { name: "sid" }, sweepInterval: 0.2 });
const createContext = (options: WakeSource) => ({ session: sessions.wake(options) });
const t = initTRPC.context<typeof createContext>().create({
  errorFormatter: ({ shape, error }) => ({ ...shape, data: { ...shape.data, ...sessions.errorData(error) } }),
});
const procedure = t.procedure.use(sessions.middleware);
const router = t.router({
  session: sessions.router({ procedure }),
  logout: procedure.mutation(({ ctx }) => ctx.session.invalidate()),
});
const server = createHTTPServer({ router, createContext }).listen(0, "127.0.0.1", () => {
  const at = server.address();
  console.log(at !== null && typeof at === "object" ? at.port : "");
});
