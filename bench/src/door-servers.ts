import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer } from "node:http";
import fastifyCookie from "@fastify/cookie";
import publishedSession, { type FastifySessionOptions } from "@fastify/session";
import { serve } from "@hono/node-server";
import type { Session } from "catnap";
import { expressSession } from "catnap/express";
import { fastifySession } from "catnap/fastify";
import { honoSession } from "catnap/hono";
import { redisStore } from "catnap/redis";
import { createSessions, memoryStore, type SessionStore } from "catnap/server";
import express from "express";
import session from "express-session";
import fastify, { type FastifyInstance } from "fastify";
import { Hono, type MiddlewareHandler } from "hono";
import type { RedisClientType } from "redis";
import { redisAt } from "./databases.ts";
import { memorySessions, redisSessions } from "./express-rival.ts";
import { big, names } from "./sessions.ts";

/** Where a handler keeps its values: it is handed what the framework has as the request's session, if anything. */
interface Keeper {
  read(session: unknown): unknown;
  write(session: unknown, name: string, value: string): void;
}

let held = "";

/** No session: a variable of the process, for what the framework costs by itself. */
const variable: Keeper = {
  read: () => held,
  write(_session, _name, value) {
    held = value;
  },
};

// Each keeper stands beside the door whose sessions it is handed; the frameworks' types know the published ones alone.

const ours: Keeper = {
  read: (session) => (session as Session<typeof big>).value("k0", ""),
  write: (session, name, value) => (session as Session<typeof big>).setValue(name, value),
};

const published: Keeper = {
  read: (session) => (session as Record<string, unknown>).k0,
  write(session, name, value) {
    (session as Record<string, unknown>)[name] = value;
  },
};

/** Begins a session of 10 KB. */
function fill(keeper: Keeper, session: unknown): void {
  for (const name of names) keeper.write(session, name, "x".repeat(98));
}

interface Change {
  readonly key: string;
  readonly value: string;
}

const done = { ok: true };

function inExpress(keeper: Keeper, middleware?: express.RequestHandler): Server {
  const app = express().disable("x-powered-by").disable("etag");
  if (middleware) app.use(middleware);
  app.use(express.json());
  app.get("/get", (req, res) => {
    res.json({ value: keeper.read(req.session) });
  });
  app.post("/set", (req, res) => {
    const { key, value } = req.body as Change;
    keeper.write(req.session, key, value);
    res.json(done);
  });
  app.post("/fill", (req, res) => {
    fill(keeper, req.session);
    res.json(done);
  });
  return createServer(app);
}

async function inFastify(keeper: Keeper, plug?: (app: FastifyInstance) => unknown): Promise<Server> {
  const app = fastify();
  await plug?.(app);
  app.get("/get", async (request) => ({ value: keeper.read(request.session) }));
  app.post("/set", async (request) => {
    const { key, value } = request.body as Change;
    keeper.write(request.session, key, value);
    return done;
  });
  app.post("/fill", async (request) => {
    fill(keeper, request.session);
    return done;
  });
  await app.listen({ port: 0, host: "127.0.0.1" });
  return app.server;
}

function inHono(keeper: Keeper, middleware?: MiddlewareHandler): Server {
  const app = new Hono<{ Variables: { session: unknown } }>();
  if (middleware) app.use(middleware);
  app.get("/get", (c) => c.json({ value: keeper.read(c.get("session")) }));
  app.post("/set", async (c) => {
    const { key, value } = await c.req.json<Change>();
    keeper.write(c.get("session"), key, value);
    return c.json(done);
  });
  app.post("/fill", (c) => {
    fill(keeper, c.get("session"));
    return c.json(done);
  });
  return serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }) as Server;
}

type Around = (req: IncomingMessage, res: ServerResponse, work: (session: unknown) => Promise<void>) => Promise<void>;

function inNode(keeper: Keeper, around: Around = (_req, _res, work) => work(undefined)): Server {
  const routes: Readonly<Record<string, (session: unknown, body: string) => unknown>> = {
    "/get": (session) => ({ value: keeper.read(session) }),
    "/set"(session, body) {
      const { key, value } = JSON.parse(body) as Change;
      keeper.write(session, key, value);
      return done;
    },
    "/fill"(session) {
      fill(keeper, session);
      return done;
    },
  };
  return createServer((req, res) => {
    void around(req, res, async (session) => {
      const body = req.method === "POST" ? await textOf(req) : "";
      const answer = routes[req.url ?? ""]?.(session, body);
      res.setHeader("content-type", "application/json").end(JSON.stringify(answer));
    });
  });
}

function textOf(req: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    req.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    req.on("end", () => resolve(text)).on("error", reject);
  });
}

// The published ones at their best: nothing is saved or sent again that did not change. @fastify/session then never says
// to its store that a session was used; express-session does, to a store that can be told.

const inExpressSession = (store: session.Store) =>
  inExpress(published, session({ store, secret: "bench", resave: false, saveUninitialized: false }));

const inFastifySession = (store?: session.Store) =>
  inFastify(published, async (app) => {
    await app.register(fastifyCookie);
    await app.register(publishedSession, {
      // It takes stores of express-session's, and types the sessions in them by a name of its own.
      ...(store && { store: store as NonNullable<FastifySessionOptions["store"]> }),
      secret: "a secret of the bench, 32 letters",
      cookie: { secure: false },
      saveUninitialized: false,
      rolling: false,
    });
  });

const sessionsIn = (store: SessionStore) => createSessions({ definition: big, store });

const oursIn = {
  express: (store: SessionStore) => inExpress(ours, expressSession(sessionsIn(store))),
  fastify: (store: SessionStore) =>
    inFastify(ours, (app) => app.register(fastifySession, { sessions: sessionsIn(store) })),
  hono: (store: SessionStore) => inHono(ours, honoSession(sessionsIn(store)) as MiddlewareHandler),
  node(store: SessionStore) {
    const sessions = sessionsIn(store);
    return inNode(ours, (req, res, work) => sessions.wake({ req, res }).run(work));
  },
};

/** One and the same app in each framework: without a session, with Catnap's, and with the one that is published for it. */
export function doorServers(port: number): Record<string, () => Server | Promise<Server>> {
  // The same client; the library types it by its options.
  const shared = async () => redisSessions((await redisAt(port)) as unknown as RedisClientType);
  const withOurs = Object.entries(oursIn).flatMap(([framework, on]) => [
    [`${framework}/ours/memory`, () => on(memoryStore())] as const,
    [`${framework}/ours/redis`, async () => on(redisStore(await redisAt(port)))] as const,
  ]);
  return {
    ...Object.fromEntries(withOurs),
    "express/bare": () => inExpress(variable),
    "fastify/bare": () => inFastify(variable),
    "hono/bare": () => inHono(variable),
    "node/bare": () => inNode(variable),
    "express/peer/memory": () => inExpressSession(memorySessions()),
    "express/peer/redis": async () => inExpressSession(await shared()),
    "fastify/peer/memory": () => inFastifySession(),
    "fastify/peer/redis": async () => inFastifySession(await shared()),
  };
}
