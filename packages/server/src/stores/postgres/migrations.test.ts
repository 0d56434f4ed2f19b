import { storeLaws } from "@catnap/testing";
import { afterAll, describe, expect, test } from "vitest";
import { startPostgres } from "../../../test/servers/postgres.ts";
import type { Commit } from "../store.ts";
import { postgresStore } from "./postgres-store.ts";

const server = await startPostgres();
afterAll(() => server?.stop());

const commit: Commit = { now: 0, accessedAt: 0, transactions: 1, expect: new Map(), changes: new Map() };
const birth: Commit = { ...commit, create: { createdAt: 0, endsAt: 1e6 }, timeoutMs: 1e6 };

const failure = (code: string, words: string) =>
  expect.objectContaining({ code, message: expect.stringContaining(words) });

describe.skipIf(!server)("postgresStore", () => {
  if (!server) return;
  const pool = server.pool({ max: 30 });
  let schemas = 0;
  const fresh = async () => {
    const schema = `migration_${++schemas}`;
    const store = postgresStore(pool, { schema });
    await store.migrate();
    return { store, schema };
  };
  const waiting = async () =>
    (await pool.query("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'")).rows.length;

  test("twenty processes migrate at once, and again, and their data stay", async () => {
    const stores = Array.from({ length: 20 }, () => postgresStore(server.pool({ max: 2 }), { schema: "crowd" }));
    await Promise.all(stores.map((store) => store.migrate()));
    expect(await stores[0]?.write("a", birth)).toEqual({ ok: true, rev: 1 });
    await Promise.all(stores.map((store) => store.migrate()));
    expect((await stores[7]?.read("a"))?.rev).toBe(1);
  });

  test("a process waits for its turn to migrate longer than the pool's statements may take", async () => {
    const store = postgresStore(server.pool({ statement_timeout: 100, lock_timeout: 100 }), { schema: "patient" });
    const other = await pool.connect();
    await other.query("BEGIN; SELECT pg_advisory_xact_lock(hashtext('catnap'), hashtext('catnap:patient'))");
    const migrating = store.migrate();
    await expect.poll(() => waiting()).toBe(1);
    await other.query("SELECT pg_sleep(0.3)");
    await other.query("COMMIT");
    other.release();
    await migrating;
    expect(await store.write("a", birth)).toEqual({ ok: true, rev: 1 });
  });

  test("tables that are missing are STORE_UNUSABLE until somebody migrates", async () => {
    const store = postgresStore(pool, { schema: "nothing" });
    await expect(store.read("a")).rejects.toEqual(failure("STORE_UNUSABLE", "store.migrate()"));
    await store.migrate();
    expect(await store.read("a")).toBeNull();
  });

  /** Tables as a later Catnap may change them and leave them usable to this one. */
  const changedLater = async () => {
    const { store, schema } = await fresh();
    await pool.query(`
      ALTER TABLE ${schema}.session ADD COLUMN note text;
      ALTER TABLE ${schema}.entry ADD COLUMN note text NOT NULL DEFAULT 'new';
      CREATE TABLE ${schema}.note (session bigint PRIMARY KEY, note text);
      UPDATE ${schema}.version SET version = 2`);
    await store.close();
    return { store: postgresStore(pool, { schema }), schema };
  };

  describe("on tables that a later version has changed keeps the law:", () => {
    for (const law of storeLaws) {
      test(law.name, async ({ skip }) => {
        const outcome = await law.check(async () => {
          const { store, schema } = await changedLater();
          return {
            store,
            reopen: async () => postgresStore(pool, { schema }),
            cleanup: async () => {
              await store.close();
              await pool.query(`DROP SCHEMA ${schema} CASCADE`);
            },
          };
        });
        if (outcome.kind === "skipped") skip(outcome.reason);
      });
    }
  });

  test("what a later version keeps in columns of its own stays, and so does its version", async () => {
    const { store, schema } = await changedLater();
    await store.migrate();
    await store.write("a", { ...birth, changes: new Map([["k", { value: "1", writer: "server", seq: 0 }]]) });
    await pool.query(`UPDATE ${schema}.session SET note = 'kept'; UPDATE ${schema}.entry SET note = 'kept'`);
    await store.write("a", { ...commit, changes: new Map([["k", { value: "2", writer: "server", seq: 0 }]]) });
    await store.touch([{ key: "a", accessedAt: 5, transactions: 1 }]);
    const notes = `SELECT s.note AS own, e.note, value, transactions::int FROM ${schema}.session s, ${schema}.entry e`;
    expect((await pool.query(notes)).rows).toEqual([{ own: "kept", note: "kept", value: "2", transactions: 3 }]);
    expect((await pool.query(`SELECT * FROM ${schema}.version`)).rows).toEqual([{ version: 2, usable_from: 1 }]);
  });

  test("tables whose version says that this one cannot work with them are left as they are", async () => {
    const { store, schema } = await fresh();
    await store.write("a", birth);
    await pool.query(`UPDATE ${schema}.version SET version = 99, usable_from = 98`);
    const late = postgresStore(pool, { schema });
    await expect(late.read("a")).rejects.toEqual(failure("STORE_UNUSABLE", "version 99"));
    await expect(late.migrate()).rejects.toEqual(failure("STORE_UNUSABLE", "newer Catnap"));
    expect((await pool.query(`SELECT version FROM ${schema}.version`)).rows).toEqual([{ version: 99 }]);
    // Who works already goes on, so that servers can be upgraded one after the other.
    expect(await store.write("a", commit)).toEqual({ ok: true, rev: 2 });
  });

  test("the printed migration does what migrate does", async () => {
    const store = postgresStore(pool, { schema: "printed" });
    await pool.query(store.migration());
    expect(await store.write("a", birth)).toEqual({ ok: true, rev: 1 });
  });
});
