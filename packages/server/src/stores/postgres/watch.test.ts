import type pg from "pg";
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { startPostgres } from "../../../test/servers/postgres.ts";
import { tapped } from "../../../test/servers/postgres-tap.ts";
import type { Commit, SessionStore } from "../store.ts";
import { type PostgresPool, postgresStore } from "./postgres-store.ts";

// The connection that LISTENs: where it comes from, and what happens without one.

const server = await startPostgres();
afterAll(() => server?.stop());

const commit: Commit = { now: 0, accessedAt: 0, transactions: 1, expect: new Map(), changes: new Map() };
const birth: Commit = { ...commit, create: { createdAt: 0, endsAt: 1e6 }, timeoutMs: 1e6 };

const warnings: string[] = [];
beforeEach(() => {
  vi.spyOn(console, "warn").mockImplementation((line: string) => void warnings.push(line));
});
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
  vi.useRealTimers();
  vi.restoreAllMocks();
  warnings.splice(0);
});

describe.skipIf(!server)("the watch of postgresStore", () => {
  if (!server) return;
  const direct = server.pool();
  let schemas = 0;
  const fresh = async (own: PostgresPool, options: Parameters<typeof postgresStore>[1] = {}) => {
    const schema = `watch_${++schemas}`;
    const calm = postgresStore(direct, { schema });
    await calm.migrate();
    await calm.write("a", birth);
    const store = postgresStore(own, { schema, ...options });
    cleanups.push(() => store.close());
    return { store, calm, schema };
  };
  const heardOf = (store: SessionStore, key = "a") => {
    const heard: number[] = [];
    const stop = store.watch?.(key, (rev) => heard.push(rev));
    return { heard, stop: () => stop?.() };
  };

  test("a pool of one serves calls beside a watch, which hears within a second or so, and one line says what to set", async () => {
    const { store, calm } = await fresh(server.pool({ max: 1 }), { timeout: 1 });
    const { heard } = heardOf(store);
    await expect.poll(() => heard).toEqual([1]);
    for (let rev = 2; rev < 5; rev++) {
      const reads = await Promise.all(Array.from({ length: 20 }, () => store.read("a")));
      expect(new Set(reads.map((record) => record?.rev))).toEqual(new Set([rev - 1]));
      await calm.write("a", commit);
      await expect.poll(() => heard.at(-1), { timeout: 3000 }).toBe(rev);
    }
    expect(warnings).toEqual([expect.stringMatching(/^catnap: .*\(max: 1\).*raise max.*listen: new Pool/)]);
  });

  test("a pool to listen on leaves a pool of one to the calls", async () => {
    const { store, calm } = await fresh(server.pool({ max: 1 }), { timeout: 1, listen: server.pool({ max: 1 }) });
    const { heard } = heardOf(store);
    await expect.poll(() => heard).toEqual([1]);
    await Promise.all(Array.from({ length: 20 }, () => store.read("a")));
    await calm.write("a", commit);
    await expect.poll(() => heard.at(-1), { timeout: 900, interval: 10 }).toBe(2);
    expect(warnings).toEqual([]);
  });

  /** Two stores over one pool of two, and whose LISTENs have gone out over it. */
  const sharing = async () => {
    const own = server.pool({ max: 2 });
    const listened: string[] = [];
    const tap = tapped(own, (query, client) => {
      const [, schema] = /^LISTEN "catnap:(\w+)"/.exec(query.text) ?? [];
      if (schema !== undefined) listened.push(schema);
      return client.query(query);
    });
    const shared = Object.assign(tap, { options: own.options });
    return { stores: [await fresh(shared, { timeout: 1 }), await fresh(shared, { timeout: 1 })] as const, listened };
  };

  test("stores that share a pool leave a place of it to calls", async () => {
    const { stores, listened } = await sharing();
    const [one, two] = stores;
    const [first, second] = [heardOf(one.store), heardOf(two.store)];
    await expect.poll(() => [first.heard, second.heard]).toEqual([[1], [1]]);
    await Promise.all(Array.from({ length: 20 }, () => [one.store.read("a"), two.store.read("a")]).flat());
    await Promise.all(stores.map(({ calm }) => calm.write("a", commit)));
    await expect.poll(() => [first.heard.at(-1), second.heard.at(-1)], { timeout: 3000 }).toEqual([2, 2]);
    expect(warnings).toEqual([expect.stringContaining("(max: 2)")]);
    expect(listened).toEqual([one.schema]);
    // The place comes free, and the other one has it.
    first.stop();
    await expect.poll(() => listened, { timeout: 5000 }).toEqual([one.schema, two.schema]);
    await two.calm.write("a", commit);
    await expect.poll(() => second.heard.at(-1), { timeout: 3000 }).toBe(3);
  });

  test("whoever leaves and comes back at once keeps one place and no more", async () => {
    const { stores, listened } = await sharing();
    const [one, two] = stores;
    const before = heardOf(one.store);
    await expect.poll(() => before.heard).toEqual([1]);
    before.stop();
    const after = heardOf(one.store);
    await expect.poll(() => listened).toEqual([one.schema, one.schema]);
    await expect.poll(() => after.heard).toEqual([1]);
    expect(warnings).toEqual([]);
    const other = heardOf(two.store);
    await expect.poll(() => other.heard).toEqual([1]);
    expect((await two.store.read("a"))?.rev).toBe(1);
    expect(listened).toEqual([one.schema, one.schema]);
  });

  test("of stores that share a pool to listen on, the one without a place hears late and says so", async () => {
    const [own, listen] = [server.pool(), server.pool({ max: 1 })];
    const [one, two] = [await fresh(own, { listen }), await fresh(own, { listen })];
    const [first, second] = [heardOf(one.store), heardOf(two.store)];
    await expect.poll(() => [first.heard, second.heard]).toEqual([[1], [1]]);
    await Promise.all([one, two].map(({ calm }) => calm.write("a", commit)));
    await expect.poll(() => [first.heard.at(-1), second.heard.at(-1)], { timeout: 3000 }).toEqual([2, 2]);
    expect(warnings).toEqual([expect.stringMatching(/^catnap: the pool listen .*\(max: 1\).*raise max/)]);
  });

  test("however many watch, one connection listens, and none when nobody does", async () => {
    const own = server.pool();
    const { store, calm } = await fresh(own);
    const sessions = Array.from({ length: 50 }, (_, i) => `session ${i}`);
    await Promise.all(sessions.map((key) => calm.write(key, birth)));
    const watches = sessions.map((key) => heardOf(store, key));
    await expect.poll(() => watches.map(({ heard }) => heard.at(-1))).toEqual(sessions.map(() => 1));
    // Not counted when the notification to itself is on its way.
    await expect.poll(() => own.totalCount - own.idleCount).toBe(1);
    for (const { stop } of watches) stop();
    await expect.poll(() => own.totalCount - own.idleCount).toBe(0);
  });

  test("a LISTEN that is refused for ever is told once, and news come late rather than never", async () => {
    await direct.query("CREATE ROLE locked_out NOLOGIN");
    const listen = tapped(server.pool({ user: "locked_out", max: 1 }), (query, client) => client.query(query));
    let attempts = 0;
    const connect = () => {
      attempts++;
      return listen.connect();
    };
    const { store, calm } = await fresh(server.pool(), { listen: { ...listen, connect } });
    const { heard } = heardOf(store);
    await expect.poll(() => attempts, { timeout: 10_000 }).toBeGreaterThan(4);
    await calm.write("a", commit);
    await expect.poll(() => heard.at(-1), { timeout: 10_000 }).toBe(2);
    expect(warnings).toEqual([expect.stringMatching(/^catnap: no connection LISTENs.*refuses this user: see to/)]);
  });

  test("a LISTEN that an outage prevents is told once the outage is a long one", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    const { store } = await fresh(server.pool(), { listen: server.pool({ port: 1, max: 1 }) });
    const { heard } = heardOf(store);
    await expect.poll(() => heard).toEqual([1]);
    expect(warnings).toEqual([]);
    vi.advanceTimersByTime(11_000);
    await expect.poll(() => warnings, { timeout: 10_000 }).not.toEqual([]);
    expect(warnings).toEqual([expect.stringMatching(/^catnap: no connection LISTENs.*could not be reached/)]);
  });

  test("a connection that breaks as soon as it listens is not wanted again and again", async () => {
    const own = server.pool();
    const listening = new WeakSet<pg.PoolClient>();
    let broken = 0;
    const tap = tapped(own, async (query, client) => {
      const result = await client.query(query);
      if (query.text.startsWith("LISTEN")) listening.add(client);
      else if (listening.has(client)) {
        // It has shown the revisions once, so that all seemed well.
        broken++;
        const { rows } = await client.query("SELECT pg_backend_pid() AS pid");
        await direct.query("SELECT pg_terminate_backend($1)", [rows[0].pid]);
      }
      return result;
    });
    const schema = `watch_${++schemas}`;
    const store = postgresStore(tap, { schema });
    cleanups.push(() => store.close());
    await store.migrate();
    const beganAt = performance.now();
    heardOf(store);
    await expect.poll(() => broken, { timeout: 20_000, interval: 20 }).toBe(6);
    // After 50, 100, 200, 400 and 800 milliseconds.
    expect(performance.now() - beganAt).toBeGreaterThan(1500);
  });

  test("notifications that no commit has sent are no news", async () => {
    const { store, calm, schema } = await fresh(server.pool());
    const { heard } = heardOf(store);
    await expect.poll(() => heard).toEqual([1]);
    for (const payload of [
      "",
      "a",
      "a ",
      "a b",
      "a NaN",
      "a -1",
      "a 1.5",
      "a 1e999",
      " 5",
      "\u0001a 5",
      "a 99999999999999999999",
    ]) {
      await direct.query("SELECT pg_notify($1, $2)", [`catnap:${schema}`, payload]);
    }
    await calm.write("a", commit);
    await expect.poll(() => heard.at(-1)).toBe(2);
    expect(heard).toEqual([1, 2]);
  });

  test("a store that is closed watches nothing", async () => {
    const own = server.pool();
    const { store } = await fresh(own);
    await store.close();
    expect(() => store.watch?.("a", () => undefined)).toThrow(expect.objectContaining({ code: "STORE_UNAVAILABLE" }));
    expect(own.totalCount).toBe(0);
  });

  test("sessions of any name are told of", async () => {
    const { store, calm } = await fresh(server.pool());
    const name = "a name\0with \u0001 5";
    await calm.write(name, birth);
    const { heard } = heardOf(store, name);
    await expect.poll(() => heard).toEqual([1]);
    await calm.write(name, commit);
    await expect.poll(() => heard.at(-1), { timeout: 900, interval: 10 }).toBe(2);
    await calm.delete(name);
    await expect.poll(() => heard.at(-1), { timeout: 900, interval: 10 }).toBe(0);
  });
});
