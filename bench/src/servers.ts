/** The servers that are measured, each started in a process of its own by `contestant.ts`: `node servers.ts NAME`. */

import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { serve } from "@hono/node-server";
import { initTRPC } from "@trpc/server";
import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import { createHTTPHandler } from "@trpc/server/adapters/standalone";
import { defineSession, merge, value } from "catnap";
import { postgresStore } from "catnap/postgres";
import { redisStore } from "catnap/redis";
import { createSessions, memoryStore, type SessionStore, type WakeSource } from "catnap/server";
import { sqliteStore } from "catnap/sqlite";
import type { RedisClientType } from "redis";
import { z } from "zod";
import { poolAt, type Redis, redisAt } from "./databases.ts";
import { doorServers } from "./door-servers.ts";
import { createRival, memorySessions, postgresSessions, redisSessions, sqliteSessions } from "./express-rival.ts";
import { big } from "./sessions.ts";

const input = z.object({ key: z.string(), value: z.string() });

/** The app without a session: what each procedure costs by itself. */
function bareApp() {
  const t = initTRPC.create();
  let held = "";
  const router = t.router({
    get: t.procedure.query(() => held),
    set: t.procedure.input(input).mutation(({ input }) => {
      held = input.value;
    }),
  });
  return { router, createContext: () => ({}) };
}

/** The same app, its value in the session. */
function sessionApp(store: SessionStore) {
  const sessions = createSessions({ definition: big, store });
  const createContext = (options: WakeSource) => ({ session: sessions.wake(options) });
  const t = initTRPC.context<typeof createContext>().create();
  const procedure = t.procedure.use(sessions.middleware);
  const router = t.router({
    get: procedure.query(({ ctx }) => ctx.session.value("k0", "")),
    set: procedure.input(input).mutation(({ ctx, input }) => ctx.session.setValue(input.key, input.value)),
    /** Waits between its reading and its writing, as a procedure that asks a database does. */
    slowSet: procedure.input(input).mutation(async ({ ctx, input }) => {
      await setTimeout(10);
      ctx.session.setValue(input.key, input.value);
    }),
    increment: procedure.mutation(({ ctx }) => ctx.session.update("k0", (n) => String(Number(n ?? 0) + 1))),
    all: procedure.query(({ ctx }) => ctx.session.values()),
    /** Begins a session of 10 KB. */
    fill: procedure.mutation(({ ctx }) => {
      for (const name of big.keys.keys()) ctx.session.setValue(name, "x".repeat(98));
    }),
  });
  return { router, createContext };
}

/** A shop whose visitors push what they like. */
function attackedApp() {
  const line = z.object({ sku: z.string(), count: z.number() });
  const definition = defineSession({
    shared: {
      note: z.string(),
      theme: z.enum(["light", "dark"]),
      anything: z.unknown(),
      cart: value(z.array(line).default([]), { merge: merge.byId("sku") }),
    },
    readonly: { user: z.string() },
  });
  const sessions = createSessions({ definition, store: memoryStore(), report: () => undefined });
  const createContext = (options: WakeSource) => ({ session: sessions.wake(options) });
  const t = initTRPC.context<typeof createContext>().create();
  const procedure = t.procedure.use(sessions.middleware);
  const router = t.router({
    session: sessions.router({ procedure }),
    get: procedure.query(({ ctx }) => ctx.session.value("note", "")),
    set: procedure.input(input).mutation(({ ctx, input }) => ctx.session.setValue("note", input.value)),
  });
  return serve({
    fetch: (req) => fetchRequestHandler({ endpoint: "/trpc", req, router, createContext }),
    port: 0,
    hostname: "127.0.0.1",
  }) as Server;
}

/**
 * What one would write by hand instead: a hash in Redis per visitor, named by a random cookie; `HGET` to read, and for a
 * change first a look whether the session is there. No expiry, no schema of the values, no answer to concurrent changes.
 */
function handmadeApp(client: Redis) {
  const createContext = ({ req, resHeaders }: { req: Request; resHeaders: Headers }) => ({
    id: /(?:^|; )hand=([^;]+)/.exec(req.headers.get("cookie") ?? "")?.[1] ?? "",
    resHeaders,
  });
  const t = initTRPC.context<typeof createContext>().create();
  const router = t.router({
    get: t.procedure.query(({ ctx }) => client.hGet(`hand:${ctx.id}`, "k0")),
    set: t.procedure.input(input).mutation(async ({ ctx, input }) => {
      const user = await client.hGet(`hand:${ctx.id}`, "k0");
      if (user !== null) await client.hSet(`hand:${ctx.id}`, input.key, input.value);
    }),
    fill: t.procedure.mutation(async ({ ctx }) => {
      const id = randomBytes(32).toString("base64url");
      await client.hSet(
        `hand:${id}`,
        Object.fromEntries(Array.from(big.keys.keys(), (name) => [name, "x".repeat(98)])),
      );
      ctx.resHeaders.append("set-cookie", `hand=${id}; Path=/; HttpOnly`);
    }),
  });
  return serve({
    fetch: (req) => fetchRequestHandler({ endpoint: "/trpc", req, router, createContext }),
    port: 0,
    hostname: "127.0.0.1",
  }) as Server;
}

/** A file that goes with the process. */
function database(): string {
  const folder = mkdtempSync(join(tmpdir(), "catnap-bench-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "sessions.db");
}

type App = ReturnType<typeof bareApp> | ReturnType<typeof sessionApp>;
const standalone = (app: App) =>
  createServer(createHTTPHandler({ ...(app as ReturnType<typeof sessionApp>), basePath: "/trpc/" }));
const fetching = (app: App) =>
  serve({
    fetch: (req) => fetchRequestHandler({ endpoint: "/trpc", req, ...(app as ReturnType<typeof sessionApp>) }),
    port: 0,
    hostname: "127.0.0.1",
  }) as Server;

/** Where the database is beside which the server is measured. */
const port = Number(process.argv[3]);

type Options = { readonly notify?: boolean; readonly cacheBytes?: number };

async function overRedis(options: Options = {}) {
  return fetching(sessionApp(redisStore(await redisAt(port), options)));
}

async function overPostgres(options: Options = {}) {
  const store = postgresStore(poolAt(port), options);
  await store.migrate();
  return fetching(sessionApp(store));
}

const servers: Readonly<Record<string, () => Server | Promise<Server>>> = {
  "standalone/bare": () => standalone(bareApp()),
  "standalone/memory": () => standalone(sessionApp(memoryStore())),
  "fetch/bare": () => fetching(bareApp()),
  "fetch/memory": () => fetching(sessionApp(memoryStore())),
  "fetch/sqlite": () => fetching(sessionApp(sqliteStore(process.argv[3] || database()))),
  "fetch/sqlite/forgetting": () => fetching(sessionApp(sqliteStore(process.argv[3] || database(), { cacheBytes: 0 }))),
  "fetch/attacked": attackedApp,
  "express/memory": () => createRival(memorySessions()),
  "express/sqlite": () => createRival(sqliteSessions(database())),
  "fetch/redis": () => overRedis(),
  // Nothing that was read stays in memory: every read is one of a session that the process has not met.
  "fetch/redis/forgetting": () => overRedis({ cacheBytes: 0 }),
  // The same client; the library types it by its options.
  "express/redis": async () => createRival(redisSessions((await redisAt(port)) as unknown as RedisClientType)),
  "fetch/handmade": async () => handmadeApp(await redisAt(port)),
  "fetch/postgres": () => overPostgres(),
  "fetch/postgres/forgetting": () => overPostgres({ cacheBytes: 0 }),
  "fetch/postgres/quiet": () => overPostgres({ notify: false }),
  "express/postgres": () => createRival(postgresSessions(poolAt(port))),
  ...doorServers(port),
};

const server = await (servers[process.argv[2] ?? ""]?.() ?? never());
const tell = () => process.send?.((server.address() as { port: number }).port);
if (server.listening) tell();
else server.once("listening", tell).listen(0, "127.0.0.1");
process.on("message", () => {
  const { user, system } = process.cpuUsage();
  process.send?.(user + system);
});
process.once("disconnect", () => process.exit());

function never(): never {
  throw new Error(`servers.ts takes one of ${Object.keys(servers).join(", ")}`);
}
