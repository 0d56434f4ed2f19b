import { createServer, type Server } from "node:http";
import { setTimeout } from "node:timers/promises";
import connectPostgres from "connect-pg-simple";
import { RedisStore } from "connect-redis";
import express from "express";
import session from "express-session";
import Database from "libsql";
import type { Pool } from "pg";
import type { RedisClientType } from "redis";
import { names } from "./sessions.ts";

declare module "express-session" {
  interface SessionData {
    [name: string]: unknown;
  }
}

/**
 * One row of JSON per session over a synchronous driver, as the published stores for better-sqlite3 do it: WAL,
 * prepared statements, the expiry in a column. libsql has better-sqlite3's API and needs no compiler.
 */
class SqliteSessions extends session.Store {
  readonly #get: Database.Statement;
  readonly #set: Database.Statement;
  readonly #touch: Database.Statement;
  readonly #destroy: Database.Statement;

  constructor(path: string) {
    super();
    const database = new Database(path);
    database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
      CREATE TABLE sessions (sid TEXT PRIMARY KEY, sess TEXT NOT NULL, expire INTEGER NOT NULL) WITHOUT ROWID`);
    this.#get = database.prepare("SELECT sess FROM sessions WHERE sid = ? AND expire > ?");
    this.#set = database.prepare("INSERT OR REPLACE INTO sessions VALUES (?, ?, ?)");
    this.#touch = database.prepare("UPDATE sessions SET expire = ? WHERE sid = ?");
    this.#destroy = database.prepare("DELETE FROM sessions WHERE sid = ?");
  }

  override get(sid: string, done: (error: unknown, session?: session.SessionData | null) => void): void {
    const [row] = this.#get.all(sid, Date.now()) as { sess: string }[];
    done(null, row ? JSON.parse(row.sess) : null);
  }

  override set(sid: string, content: session.SessionData, done?: (error?: unknown) => void): void {
    this.#set.run(sid, JSON.stringify(content), Date.now() + 3_600_000);
    done?.(null);
  }

  override touch(sid: string, _content: session.SessionData, done?: () => void): void {
    this.#touch.run(Date.now() + 3_600_000, sid);
    done?.();
  }

  override destroy(sid: string, done?: (error?: unknown) => void): void {
    this.#destroy.run(sid);
    done?.(null);
  }
}

/** One row of JSON per session in SQLite. */
export const sqliteSessions = (path: string): session.Store => new SqliteSessions(path);

/** The store that express-session brings. */
export const memorySessions = (): session.Store => new session.MemoryStore();

/** The published store for PostgreSQL, over its own table. */
export function postgresSessions(pool: Pool): session.Store {
  const Store = connectPostgres(session);
  return new Store({ pool, createTableIfMissing: true, pruneSessionInterval: false });
}

/** The published store for Redis. */
export const redisSessions = (client: RedisClientType): session.Store => new RedisStore({ client });

/** Express with express-session at its best: no save of what did not change, no extra middleware, plain routes. */
export function createRival(store: session.Store): Server {
  const app = express().disable("x-powered-by").disable("etag");
  app.use(session({ store, secret: "bench", resave: false, saveUninitialized: false }));
  app.use(express.json());
  app.post("/fill", (req, res) => {
    for (const name of names) req.session[name] = "x".repeat(98);
    res.json({ ok: true });
  });
  app.get("/get", (req, res) => {
    res.json({ value: req.session.k0 });
  });
  app.post("/set", (req, res) => {
    req.session[req.body.key] = req.body.value;
    res.json({ ok: true });
  });
  app.post("/slow-set", async (req, res) => {
    await setTimeout(10);
    req.session[req.body.key] = req.body.value;
    res.json({ ok: true });
  });
  app.post("/increment", (req, res) => {
    req.session.k0 = String(Number(req.session.k0 ?? 0) + 1);
    res.json({ ok: true });
  });
  app.get("/all", (req, res) => {
    res.json(req.session);
  });
  return createServer(app);
}
