import type pg from "pg";
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { startPostgres } from "../../../test/servers/postgres.ts";
import { tapped } from "../../../test/servers/postgres-tap.ts";
import { startProxy } from "../../../test/servers/proxy.ts";
import type { Commit } from "../store.ts";
import { translate } from "./errors.ts";
import { type PostgresStore, postgresStore } from "./postgres-store.ts";

const server = await startPostgres();
const spare = await startPostgres();
afterAll(() => Promise.all([server?.stop(), spare?.stop()]));
afterEach(() => {
  server?.thaw();
  vi.useRealTimers();
});

const commit: Commit = { now: 0, accessedAt: 0, transactions: 1, expect: new Map(), changes: new Map() };
const birth: Commit = { ...commit, create: { createdAt: 0, endsAt: 1e6 }, timeoutMs: 1e6 };
const setting = (value: string): Commit => ({
  ...commit,
  changes: new Map([["a", { value, writer: "server", seq: 0 }]]),
});
const unavailable = (words: string) =>
  expect.objectContaining({ code: "STORE_UNAVAILABLE", message: expect.stringContaining(words) });

describe.skipIf(!server)("postgresStore and deadlines:", () => {
  if (!server || !spare) return;
  const pool = server.pool({ max: 30 });
  let schemas = 0;
  const fresh = async (options: Parameters<typeof postgresStore>[1] = {}, own: pg.Pool = pool) => {
    const schema = `deadline_${++schemas}`;
    // Not in a hurry, and over connections of its own.
    const calm = postgresStore(pool, { schema });
    await calm.migrate();
    await calm.write("a", birth);
    return { store: postgresStore(own, { schema, ...options }), calm, schema };
  };
  const locked = async (schema: string) => {
    const other = await pool.connect();
    await other.query(`BEGIN; SELECT FROM ${schema}.session WHERE identifier = 'a' FOR UPDATE`);
    return async () => {
      await other.query("COMMIT");
      other.release();
    };
  };
  const waiting = async () =>
    (await pool.query("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'")).rows.length;
  /** Once it has looked at the version, so that the next call is the statement alone. */
  const warm = (store: PostgresStore) =>
    expect.poll(() => store.read("a").catch(() => null), { timeout: 10_000 }).not.toBeNull();
  /** Until the server has done with all that these connections, which are closed by now, have sent. */
  const done = async (name: string) => {
    const running = "SELECT FROM pg_stat_activity WHERE application_name = $1";
    await expect.poll(async () => (await pool.query(running, [name])).rows, { timeout: 10_000 }).toEqual([]);
  };

  test("what was still waiting for a connection at its deadline is never sent", async () => {
    const own = server.pool({ max: 1 });
    const { calm, schema } = await fresh();
    const sent: string[] = [];
    const tap = tapped(own, (query, client) => {
      sent.push(query.text);
      return client.query(query);
    });
    const described = Object.assign(tap, { options: own.options, totalCount: 1 });
    const store = postgresStore(described, { schema, timeout: 0.5 });
    await warm(store);
    sent.length = 0;
    const only = await own.connect();
    const full = unavailable("No connection of the pool has come free within 0.5 s (max: 1)");
    await expect(store.write("a", setting("1"))).rejects.toEqual(full);
    await expect(store.delete("a")).rejects.toEqual(full);
    only.release();
    // Behind them in the pool's queue.
    await own.query("SELECT 1");
    expect(sent).toEqual([]);
    expect((await calm.read("a"))?.rev).toBe(1);
    expect([own.totalCount, own.idleCount, own.waitingCount]).toEqual([1, 1, 0]);
  });

  test("a statement at its deadline keeps no place in the pool, none at the lock, and takes no effect", async () => {
    const own = server.pool({ max: 1 });
    const { store, calm, schema } = await fresh({ timeout: 0.5 }, own);
    await warm(store);
    const unlock = await locked(schema);
    for (let i = 0; i < 3; i++) {
      await expect(store.write("a", setting("1"))).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
      expect((await store.read("a"))?.rev).toBe(1);
    }
    await expect(store.touch([{ key: "a", accessedAt: 9, transactions: 1 }])).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
    });
    await expect(store.delete("a")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    await expect.poll(waiting).toBe(0);
    await unlock();
    expect(await calm.read("a")).toMatchObject({ rev: 1, accessedAt: 0 });
    expect(await store.write("a", setting("1"))).toEqual({ ok: true, rev: 2 });
  });

  test("what a stalled network delivers after its deadline takes no effect", async () => {
    const name = "stalled";
    const own = server.pool({ application_name: name });
    const { store, calm } = await fresh({ timeout: 0.5 }, own);
    await warm(store);
    // Connections for all, so that the statements are under way when the time is up.
    await Promise.all([1, 2, 3].map(() => own.query("SELECT pg_sleep(0.1)")));
    await server.freeze();
    const frozenAt = performance.now();
    const calls = [
      store.write("a", setting("2")),
      store.touch([{ key: "a", accessedAt: 9, transactions: 1 }]),
      store.delete("a"),
    ];
    for (const outcome of await Promise.allSettled(calls)) {
      expect(outcome).toMatchObject({ status: "rejected", reason: unavailable("within 0.5 s") });
    }
    // The database takes the deadline for later than it is, by the time that the look at its clock has taken.
    await expect.poll(() => performance.now() - frozenAt, { timeout: 5000 }).toBeGreaterThan(1500);
    server.thaw();
    await done(name);
    expect(await calm.read("a")).toMatchObject({ rev: 1, accessedAt: 0, transactions: 1 });
    expect(await store.write("a", setting("2"))).toEqual({ ok: true, rev: 2 });
  });

  test("what is not done at its deadline is undone, whatever has held it up", async () => {
    const name = "slow";
    const { store, calm, schema } = await fresh({ timeout: 0.5 }, server.pool({ application_name: name }));
    await warm(store);
    await pool.query(`
      CREATE FUNCTION ${schema}.slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM pg_sleep(1.5);
        RETURN NULL;
      END $$;
      CREATE TRIGGER slow AFTER UPDATE OR DELETE ON ${schema}.session EXECUTE FUNCTION ${schema}.slow()`);
    const calls = [
      () => store.write("a", setting("1")),
      () => store.touch([{ key: "a", accessedAt: 9, transactions: 1 }]),
      () => store.delete("a"),
    ];
    for (const call of calls) {
      await expect(call()).rejects.toEqual(unavailable("within 0.5 s"));
      await done(name);
    }
    expect(await calm.read("a")).toMatchObject({ rev: 1, accessedAt: 0, transactions: 1 });
  });

  test("the database refuses what comes too late, and says so", async () => {
    const { calm, schema } = await fresh();
    for (const call of [`touch('{a}', '{9}', '{1}', 0)`, "erase('a', NULL, 0, false)"]) {
      const error = await pool.query(`SELECT ${schema}.${call}`).catch((cause: unknown) => translate(cause));
      expect(error).toEqual(unavailable("came too late: nothing was written"));
    }
    expect(await calm.read("a")).toMatchObject({ rev: 1, accessedAt: 0 });
  });

  test("when a host vanishes all calls reject, and they are well again when it comes back", async () => {
    const own = server.pool({ max: 3 });
    const { store } = await fresh({ timeout: 0.5 }, own);
    await warm(store);
    await Promise.all([1, 2, 3].map(() => own.query("SELECT pg_sleep(0.1)")));
    expect(own.totalCount).toBe(3);
    await server.freeze();
    // First all places of the pool, then all that come in their stead.
    for (let round = 0; round < 2; round++) {
      const calls = Array.from({ length: 8 }, () => store.read("a"));
      for (const outcome of await Promise.allSettled(calls)) {
        expect(outcome).toMatchObject({ status: "rejected", reason: unavailable("within 0.5 s") });
      }
    }
    server.thaw();
    await expect.poll(async () => (await store.read("a").catch(() => null))?.rev, { timeout: 10_000 }).toBe(1);
    expect(await store.write("a", setting("1"))).toEqual({ ok: true, rev: 2 });
  });

  test("when a host has vanished for good, its address leads elsewhere and so do all calls", async () => {
    const address = await startProxy(server.port);
    try {
      const own = server.pool({ port: address.port, max: 3, connectionTimeoutMillis: 500 });
      const { store, schema } = await fresh({ timeout: 0.5 }, own);
      await warm(store);
      const there = postgresStore(spare.pool(), { schema });
      await there.migrate();
      await there.write("a", birth);
      await there.write("a", setting("there"));
      await Promise.all([1, 2, 3].map(() => own.query("SELECT pg_sleep(0.1)")));
      await server.freeze();
      for (let round = 0; round < 2; round++) {
        const calls = Array.from({ length: 8 }, () => store.write("a", setting("1")));
        for (const outcome of await Promise.allSettled(calls)) {
          expect(outcome).toMatchObject({ status: "rejected", reason: { code: "STORE_UNAVAILABLE" } });
        }
      }
      address.aim(spare.port);
      await expect.poll(async () => (await store.read("a").catch(() => null))?.rev, { timeout: 10_000 }).toBe(2);
      expect(await store.write("a", setting("1"))).toEqual({ ok: true, rev: 3 });
    } finally {
      await address.stop();
    }
  });

  test.each([
    ["connects", 0],
    ["has connections", 2],
  ])("a host that vanishes as the watch begins and the pool %s holds up no news", async (_when, connections) => {
    const address = await startProxy(server.port);
    try {
      const own = server.pool({ port: address.port });
      const { store, schema } = await fresh({ timeout: 0.5 }, own);
      const there = postgresStore(spare.pool(), { schema });
      await there.migrate();
      await there.write("a", birth);
      await Promise.all(Array.from({ length: connections }, () => own.query("SELECT pg_sleep(0.1)")));
      await server.freeze();
      const heard: number[] = [];
      const stop = store.watch?.("a", (rev) => heard.push(rev));
      // By then it has been caught as well.
      await expect(store.read("a")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
      address.aim(spare.port);
      await expect.poll(() => heard.at(-1), { timeout: 15_000 }).toBe(1);
      await there.write("a", setting("1"));
      await expect.poll(() => heard.at(-1), { timeout: 15_000 }).toBe(2);
      stop?.();
      await store.close();
    } finally {
      await address.stop();
    }
  });
});
