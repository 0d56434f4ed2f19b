import pg from "pg";
import { afterAll, describe, expect, test } from "vitest";
import { startPostgres } from "../../../test/servers/postgres.ts";
import { tapped } from "../../../test/servers/postgres-tap.ts";
import type { Commit } from "../store.ts";
import { postgresStore } from "./postgres-store.ts";

const server = await startPostgres();
afterAll(() => server?.stop());

const put = (value: string) => ({ value, writer: "server", seq: 0 });
const commit: Commit = { now: 0, accessedAt: 0, transactions: 1, expect: new Map(), changes: new Map() };
const birth: Commit = { ...commit, create: { createdAt: 0, endsAt: 1e6 }, timeoutMs: 1e6 };
const setting = (value: string): Commit => ({ ...commit, changes: new Map([["a", put(value)]]) });

const failure = (code: string, words: string) =>
  expect.objectContaining({ code, message: expect.stringContaining(words) });

test("a database that is not there answers STORE_UNAVAILABLE", async () => {
  const store = postgresStore(new pg.Pool({ host: "127.0.0.1", port: 1 }));
  await expect(store.read("a")).rejects.toEqual(failure("STORE_UNAVAILABLE", "could not be reached"));
  await expect(store.write("a", birth)).rejects.toEqual(failure("STORE_UNAVAILABLE", "could not be reached"));
});

describe.skipIf(!server)("postgresStore", () => {
  if (!server) return;
  const pool = server.pool({ max: 30 });
  let schemas = 0;
  const fresh = async (options: Parameters<typeof postgresStore>[1] = {}, own: pg.Pool = pool) => {
    const schema = `fault_${++schemas}`;
    const store = postgresStore(own, { schema, ...options });
    await store.migrate();
    return { store, schema };
  };

  test("a role without rights is STORE_UNUSABLE", async () => {
    const { schema } = await fresh();
    await pool.query("CREATE ROLE stranger LOGIN");
    const store = postgresStore(server.pool({ user: "stranger" }), { schema });
    await expect(store.read("a")).rejects.toEqual(failure("STORE_UNUSABLE", "refuses this role"));
    await expect(postgresStore(server.pool({ user: "stranger" })).migrate()).rejects.toMatchObject({
      code: "STORE_UNUSABLE",
    });
  });

  test("a database that takes no writes is STORE_UNAVAILABLE to writers, and readers go on", async () => {
    const { store, schema } = await fresh();
    await store.write("a", birth);
    const reader = postgresStore(server.pool({ options: "-c default_transaction_read_only=on" }), { schema });
    expect((await reader.read("a"))?.rev).toBe(1);
    await expect(reader.write("a", setting("1"))).rejects.toEqual(failure("STORE_UNAVAILABLE", "takes no writes"));
    await expect(reader.sweep(1e9, 10)).rejects.toEqual(failure("STORE_UNAVAILABLE", "takes no writes"));
  });

  test("every call is one round trip", async () => {
    const sent: string[] = [];
    const { store, schema } = await fresh();
    const tap = tapped(pool, (query, client) => {
      sent.push(query.text);
      return client.query(query);
    });
    const counted = postgresStore(tap, { schema });
    await counted.read("a");
    expect(sent.splice(0)).toHaveLength(2); // The first call looks at the version.
    await counted.write("a", { ...birth, subject: "s", changes: setting("1").changes });
    expect(sent.splice(0)).toHaveLength(1);
    const changes = new Map(Array.from({ length: 30 }, (_, i) => [`key${i}`, put("1")]));
    await counted.write("a", { ...commit, subject: "t", changes, expect: new Map([["a", 1]]) });
    expect(sent.splice(0)).toHaveLength(1);
    expect(await counted.write("a", { ...setting("2"), expect: new Map([["a", 7]]) })).toMatchObject({ ok: false });
    expect(sent.splice(0)).toHaveLength(1);
    await counted.touch([{ key: "a", accessedAt: 1, transactions: 1 }]);
    await counted.find({ subject: "t", limit: 5 });
    await counted.delete("a");
    expect(sent.splice(0)).toHaveLength(3);
    await store.close();
  });

  test("texts that PostgreSQL cannot hold come back as they were", async () => {
    const { store } = await fresh();
    const awkward = ["\0\u0001\u0002\u0003d800\0\0", "\ud800", "\udc00\ud800", "\ud8000", "🐈\udc08"];
    for (const [i, text] of awkward.entries()) {
      const changes = new Map(awkward.map((name) => [name, { ...put(text), writer: text }]));
      await store.write(`${text}${i}`, { ...birth, changes });
      const record = await store.read(`${text}${i}`);
      expect(record?.entries).toEqual(
        new Map(awkward.map((name) => [name, { value: text, rev: 1, writer: text, seq: 0 }])),
      );
    }
    const { items } = await store.find({ limit: 9, entries: awkward });
    expect(new Set(items.map(({ identifier }) => identifier))).toEqual(
      new Set(awkward.map((text, i) => `${text}${i}`)),
    );
    for (const { identifier, entries } of items) {
      expect(entries).toEqual(new Map(awkward.map((name) => [name, identifier.slice(0, -1)])));
      expect((await store.find({ limit: 9, cursor: identifier })).items.map((info) => info.identifier)).not.toContain(
        identifier,
      );
      expect(await store.delete(identifier)).toBe(true);
    }
  });

  test("no rest of a session stays behind, however it ended", async () => {
    const { store, schema } = await fresh();
    const count = async () => (await pool.query(`SELECT FROM ${schema}.entry`)).rows.length;
    for (const key of ["a", "b", "c"]) await store.write(key, { ...birth, changes: setting("1").changes });
    expect(await count()).toBe(3);
    await store.delete("a");
    expect(await count()).toBe(2);
    await pool.query(`DELETE FROM ${schema}.session WHERE identifier = 'b'`);
    expect(await count()).toBe(1);
    await store.sweep(1e6, 10);
    expect(await count()).toBe(0);
  });

  test("a task that is given back leaves no row, whatever the database's clock does then", async () => {
    const { store, schema } = await fresh();
    expect(await store.lease?.("task", "a", 1000)).toBe(true);
    expect(await store.lease?.("task", "b", 0)).toBe(false);
    expect((await pool.query(`SELECT FROM ${schema}.lease`)).rows).toHaveLength(1);
    expect(await store.lease?.("task", "a", 0)).toBe(true);
    expect(await store.lease?.("never taken", "a", 0)).toBe(true);
    expect((await pool.query(`SELECT FROM ${schema}.lease`)).rows).toHaveLength(0);
  });

  test("a commit of another process is told, and what happened while the listening connection was gone", async () => {
    const { store, schema } = await fresh();
    const there = postgresStore(server.pool(), { schema });
    await there.write("a", birth);
    const heard: number[] = [];
    const stop = store.watch?.("a", (rev) => heard.push(rev));
    await there.write("a", setting("1"));
    await expect.poll(() => heard.at(-1), { timeout: 2000 }).toBe(2);
    await pool.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%identifier = ANY%' AND pid <> pg_backend_pid()",
    );
    await there.write("a", setting("2"));
    await expect.poll(() => heard.at(-1), { timeout: 2000 }).toBe(3);
    await there.write("a", setting("3"));
    await expect.poll(() => heard.at(-1), { timeout: 2000 }).toBe(4);
    await there.delete("a");
    await expect.poll(() => heard.at(-1), { timeout: 2000 }).toBe(0);
    stop?.();
    await there.close();
  });

  test("what is in memory is never shown for what another process, or a restored backup, has put in its place", async () => {
    const { store, schema } = await fresh();
    const there = postgresStore(pool, { schema });
    const shown = async (of: typeof store) => (await of.read("a"))?.entries.get("a")?.value;
    await store.write("a", { ...birth, changes: setting("1").changes });
    expect([await shown(store), await shown(store), await shown(there)]).toEqual(["1", "1", "1"]);
    await pool.query(
      `CREATE TABLE ${schema}.s AS TABLE ${schema}.session; CREATE TABLE ${schema}.e AS TABLE ${schema}.entry`,
    );
    await there.write("a", setting("2"));
    expect([await shown(store), await shown(there)]).toEqual(["2", "2"]);
    await pool.query(`DELETE FROM ${schema}.session;
      INSERT INTO ${schema}.session OVERRIDING SYSTEM VALUE TABLE ${schema}.s;
      INSERT INTO ${schema}.entry TABLE ${schema}.e`);
    await there.write("a", setting("3"));
    expect((await store.read("a"))?.rev).toBe(2);
    expect([await shown(store), await shown(there)]).toEqual(["3", "3"]);
  });

  test("notify: false sends nothing and offers no watch", async () => {
    const { store, schema } = await fresh({ notify: false });
    expect(store.watch).toBeUndefined();
    const listening = await pool.connect();
    const heard: unknown[] = [];
    listening.on("notification", (message) => heard.push(message));
    await listening.query(`LISTEN "catnap:${schema}"`);
    await store.write("a", birth);
    await store.delete("a");
    await listening.query("SELECT 1");
    expect(heard).toEqual([]);
    listening.release(true);
  });

  test("works without prepared statements, and with a driver that answers otherwise than by default", async () => {
    const types = new pg.TypeOverrides();
    types.setTypeParser(20, (text) => BigInt(text));
    types.setTypeParser(701, (text) => `${text}!`);
    const { store } = await fresh({ prepare: false }, server.pool({ types: types as pg.CustomTypesConfig }));
    await store.write("a", { ...birth, authenticatedAt: 1.5, changes: setting("1").changes });
    expect(await store.write("a", setting("2"))).toEqual({ ok: true, rev: 2 });
    expect(await store.read("a")).toMatchObject({ rev: 2, authenticatedAt: 1.5, transactions: 2 });
    expect((await store.find({ limit: 1 })).items).toMatchObject([{ accessedAt: 0, expiresAt: 1e6 }]);
    expect(await store.sweep(1e6, 1)).toBe(1);
  });

  test("a server that crashes and comes back is used again, and nothing acknowledged is gone", async () => {
    const other = await startPostgres({ fsync: "on" });
    if (!other) throw new Error("unreachable");
    try {
      const store = postgresStore(other.pool(), { timeout: 1 });
      await store.migrate();
      await store.write("a", birth);
      const heard: number[] = [];
      const stop = store.watch?.("a", (rev) => heard.push(rev));
      let told = 1;
      let running = true;
      const writing = (async () => {
        while (running) {
          const result = await store.write("a", setting(String(told + 1))).catch(() => undefined);
          if (result?.ok) told = result.rev;
        }
      })();
      await expect.poll(() => told).toBeGreaterThan(20);
      await other.halt();
      await expect(store.read("a")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
      await other.start();
      await expect.poll(async () => (await store.read("a").catch(() => null))?.rev).toBeGreaterThanOrEqual(told);
      const before = told;
      await expect.poll(() => told).toBeGreaterThan(before);
      await other.crash();
      await expect
        .poll(async () => (await store.read("a").catch(() => null))?.rev, { timeout: 5000 })
        .toBeGreaterThanOrEqual(told);
      running = false;
      await writing;
      const record = await store.read("a");
      expect(record?.rev).toBeGreaterThanOrEqual(told);
      await expect.poll(() => heard.at(-1), { timeout: 5000 }).toBe(record?.rev);
      stop?.();
      await store.close();
    } finally {
      await other.stop();
    }
  });
});
