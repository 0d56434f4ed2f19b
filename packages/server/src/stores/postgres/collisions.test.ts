import type pg from "pg";
import { afterAll, describe, expect, test } from "vitest";
import { startPostgres } from "../../../test/servers/postgres.ts";
import type { Commit } from "../store.ts";
import { postgresStore } from "./postgres-store.ts";

const server = await startPostgres();
afterAll(() => server?.stop());

const put = (value: string) => ({ value, writer: "server", seq: 0 });
const commit: Commit = { now: 0, accessedAt: 0, transactions: 1, expect: new Map(), changes: new Map() };
const birth: Commit = { ...commit, create: { createdAt: 0, endsAt: 1e6 }, timeoutMs: 1e6 };

describe.skipIf(!server)("postgresStore", () => {
  if (!server) return;
  const pool = server.pool({ max: 30 });
  let schemas = 0;
  const fresh = async (options: Parameters<typeof postgresStore>[1] = {}, own: pg.Pool = pool) => {
    const schema = `collision_${++schemas}`;
    const store = postgresStore(own, { schema, ...options });
    await store.migrate();
    return { store, schema };
  };
  const waiting = async () =>
    (await pool.query("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'")).rows.length;

  test.each(["repeatable read", "serializable"])(
    "collisions are tried again although the pool's default is %s",
    async (level) => {
      const own = server.pool({ max: 8, options: `-c default_transaction_isolation=${level.replace(" ", "\\ ")}` });
      const { store } = await fresh({ timeout: 20 }, own);
      await store.write("a", birth);
      const writes = Array.from({ length: 40 }, (_, i) =>
        store.write("a", { ...commit, changes: new Map([[`key${i}`, put("1")]]) }),
      );
      const revs = (await Promise.all(writes)).map((result) => (result.ok ? result.rev : 0));
      expect(revs.sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i + 2));
      expect((await store.read("a"))?.entries.size).toBe(40);
      // Creators and enders, too, find each other.
      const births = await Promise.all(Array.from({ length: 10 }, () => store.write("b", birth)));
      expect(births.filter(({ ok }) => ok)).toHaveLength(1);
      const ends = await Promise.all(Array.from({ length: 10 }, () => store.delete("a")));
      expect(ends.filter(Boolean)).toHaveLength(1);
    },
  );

  test("a deadlock with somebody else's transaction is tried again", async () => {
    const own = server.pool({ options: "-c deadlock_timeout=1s" });
    const { store, schema } = await fresh({}, own);
    await store.write("a", birth);
    await store.write("b", birth);
    const other = await pool.connect();
    // Who waits looks for a deadlock once. This one would do so later, so that the touch is the one to be undone.
    await other.query("SET deadlock_timeout = '1min'");
    await other.query(`BEGIN; SELECT FROM ${schema}.session WHERE identifier = 'b' FOR UPDATE`);
    const touching = store.touch([
      { key: "a", accessedAt: 1, transactions: 1 },
      { key: "b", accessedAt: 1, transactions: 1 },
    ]);
    await expect.poll(async () => waiting()).toBe(1);
    await other.query(`SELECT FROM ${schema}.session WHERE identifier = 'a' FOR UPDATE`);
    await other.query("COMMIT");
    other.release(true);
    await touching;
    expect((await store.read("a"))?.transactions).toBe(2);
    expect((await store.read("b"))?.transactions).toBe(2);
  });

  test("a creation whose key comes free while it is being refused creates", async () => {
    const { store, schema } = await fresh();
    await store.write("a", { ...birth, subject: "gone in a moment" });
    // Between the statement that finds the key taken and the one that reads by whom.
    await pool.query(`
      CREATE FUNCTION ${schema}.vanish() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        DELETE FROM ${schema}.session WHERE subject = 'gone in a moment';
        RETURN NULL;
      END $$;
      CREATE TRIGGER vanish AFTER INSERT ON ${schema}.session EXECUTE FUNCTION ${schema}.vanish()`);
    expect(await store.write("a", birth)).toEqual({ ok: true, rev: 1 });
    expect((await store.read("a"))?.subject).toBeNull();
  });
});
