import type pg from "pg";
import { afterAll, describe, expect, test } from "vitest";
import { startPgbouncer } from "../../../test/servers/pgbouncer.ts";
import { startPostgres } from "../../../test/servers/postgres.ts";
import type { Commit } from "../store.ts";
import { poolerAdvice } from "./pooler.ts";
import { postgresStore } from "./postgres-store.ts";

// What poolers say, and what the store makes of it.

const server = await startPostgres();
const pooler = server && (await startPgbouncer(server));
afterAll(async () => {
  await pooler?.stop();
  await server?.stop();
});

const birth: Commit = {
  now: 0,
  accessedAt: 0,
  transactions: 1,
  expect: new Map(),
  changes: new Map(),
  create: { createdAt: 0, endsAt: 1e6 },
  timeoutMs: 1e6,
};

describe.skipIf(!server || !pooler)("to postgresStore", () => {
  if (!server || !pooler) return;
  let schemas = 0;
  const direct = server.pool();
  const fresh = async (own: pg.Pool = pooler.pool()) => {
    const schema = `pooler_${++schemas}`;
    await postgresStore(direct, { schema }).migrate();
    return { store: postgresStore(own, { schema, prepare: false }) };
  };

  test.each([
    ["lock_timeout", { lock_timeout: 1000 }],
    ["idle_in_transaction_session_timeout", { idle_in_transaction_session_timeout: 1000 }],
    ["options", { options: "-c search_path=public" }],
  ])("a pooler that takes no %s of the pool's says so", async (option, config) => {
    const { store } = await fresh(pooler.pool(config));
    await expect(store.migrate()).rejects.toMatchObject({
      code: "STORE_UNUSABLE",
      message: expect.stringContaining(`option ${option}: `),
    });
  });

  test("a pooler that pools by statement serves calls, and says why it does not migrate", async () => {
    const other = await startPgbouncer(server, { pool_mode: "statement" });
    try {
      const { store } = await fresh(other?.pool());
      await expect(store.migrate()).rejects.toMatchObject({
        code: "STORE_UNUSABLE",
        message: expect.stringContaining("pool_mode to transaction"),
      });
      await Promise.all(Array.from({ length: 60 }, (_, i) => store.write(`key ${i}`, birth)));
      expect((await store.find({ limit: 100 })).items).toHaveLength(60);
    } finally {
      await other?.stop();
    }
  });

  test("a pooler that is full says so", async () => {
    const other = await startPgbouncer(server, { max_client_conn: "2" });
    try {
      const { store } = await fresh(other?.pool());
      const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => store.read("a")));
      const reasons = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : []));
      expect(reasons).not.toEqual([]);
      for (const reason of reasons) {
        expect(reason).toMatchObject({
          code: "STORE_UNAVAILABLE",
          message: expect.stringContaining("max_client_conn"),
        });
      }
    } finally {
      await other?.stop();
    }
  });

  test.each([
    ["database", "has no database of this name"],
    ["user", "refuses this user"],
  ])("a pooler that does not know the pool's %s says so", async (setting, words) => {
    await expect(postgresStore(pooler.pool({ [setting]: "nowhere" })).read("a")).rejects.toMatchObject({
      code: "STORE_UNUSABLE",
      message: expect.stringContaining(words),
    });
  });

  test("a pooler whose database is down says so, and serves as soon as it is up", async () => {
    const own = await startPostgres();
    if (!own) throw new Error("unreachable");
    const other = await startPgbouncer(own, { server_login_retry: "1", query_wait_timeout: "1" });
    try {
      const store = postgresStore(other?.pool() ?? direct, { timeout: 20 });
      await store.migrate();
      await own.halt();
      const saying = (words: string) => ({ code: "STORE_UNAVAILABLE", message: expect.stringContaining(words) });
      // Over the connection that it had, and over a new one.
      await expect(store.read("a")).rejects.toMatchObject(saying("had no connection to the database"));
      await expect(store.read("a")).rejects.toMatchObject(saying("does not reach the database"));
      await own.start();
      await expect
        .poll(() => store.write("a", birth).catch(() => null), { timeout: 10_000 })
        .toMatchObject({ ok: true });
    } finally {
      await other?.stop();
      await own.stop();
    }
  });
});

// In the words of pgbouncer 1.25, RDS Proxy and Supavisor, which are not all to be had here.
test.each([
  ["unsupported startup parameter in options: statement_timeout", "STORE_UNUSABLE", "option statement_timeout"],
  [
    "Feature not supported: RDS Proxy currently doesn’t support command-line options.",
    "STORE_UNUSABLE",
    "option options",
  ],
  [
    "Feature not supported: RDS Proxy currently doesn’t support the option lock_timeout.",
    "STORE_UNUSABLE",
    "option lock_timeout",
  ],
  ["client connections exceeded (max_user_client_connections)", "STORE_UNAVAILABLE", "max_client_conn"],
  ["MaxClientsInSessionMode: max clients reached", "STORE_UNAVAILABLE", "max_client_conn"],
  ["query_wait_timeout", "STORE_UNAVAILABLE", "default_pool_size"],
  ["server login has been failing, cached error: no route (server_login_retry)", "STORE_UNAVAILABLE", "does not reach"],
  ["Tenant or user not found", "STORE_UNUSABLE", "refuses this user"],
  ["SSL required", "STORE_UNUSABLE", "ssl"],
])("knows what to do when a pooler says: %s", (message, code, words) => {
  expect(poolerAdvice(message)).toEqual({ code, words: expect.stringContaining(words) });
});

test("what a database says is not taken for a pooler's words", () => {
  expect(poolerAdvice('relation "catnap.session" does not exist')).toBeUndefined();
});
