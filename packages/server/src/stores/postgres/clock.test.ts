import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { startPostgres } from "../../../test/servers/postgres.ts";
import { tapped } from "../../../test/servers/postgres-tap.ts";
import type { Commit } from "../store.ts";
import { postgresStore } from "./postgres-store.ts";

const server = await startPostgres();
afterAll(() => server?.stop());
afterEach(() => {
  vi.useRealTimers();
});

const commit: Commit = { now: 0, accessedAt: 0, transactions: 1, expect: new Map(), changes: new Map() };
const birth: Commit = { ...commit, create: { createdAt: 0, endsAt: 1e6 }, timeoutMs: 1e6 };
const setting = (value: string): Commit => ({
  ...commit,
  changes: new Map([["a", { value, writer: "server", seq: 0 }]]),
});

describe.skipIf(!server)("postgresStore and clocks:", () => {
  if (!server) return;
  const pool = server.pool({ max: 30 });
  let schemas = 0;

  /** A store whose database's clock can be set, and the statements that it sends. */
  async function withClock() {
    const schema = `deadline_${++schemas}`;
    await pool.query(`CREATE SCHEMA ${schema}_clock; CREATE TABLE ${schema}_clock.ahead (by interval);
      INSERT INTO ${schema}_clock.ahead VALUES ('0');
      CREATE FUNCTION ${schema}_clock.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
        $$ SELECT pg_catalog.clock_timestamp() + by FROM ${schema}_clock.ahead $$`);
    const own = server?.pool({ options: `-c search_path=${schema}_clock,pg_catalog` }) ?? pool;
    const sent: string[] = [];
    const tap = tapped(own, (query, client) => {
      sent.push(query.text);
      return client.query(query);
    });
    const store = postgresStore(tap, { schema });
    await store.migrate();
    const set = (ahead: string) => pool.query(`UPDATE ${schema}_clock.ahead SET by = $1`, [ahead]);
    const measured = () => sent.splice(0).filter((text) => text.endsWith("AS now")).length;
    return { store, set, measured, schema };
  }

  test.each(["3 hours", "-3 hours"])("a database whose clock is %s ahead of ours is as good as any", async (ahead) => {
    const { store, set, measured } = await withClock();
    await set(ahead);
    await store.write("a", birth);
    for (let i = 0; i < 5; i++) expect(await store.write("a", setting(`${i}`))).toEqual({ ok: true, rev: 2 + i });
    expect(measured()).toBe(0);
  });

  test("a database's clock that is set is measured again, and nobody notices", async () => {
    const { store, set, measured } = await withClock();
    await store.write("a", birth);
    await set("3 hours");
    expect(await store.write("a", setting("1"))).toEqual({ ok: true, rev: 2 });
    expect(measured()).toBe(1);
    expect(await store.write("a", setting("2"))).toEqual({ ok: true, rev: 3 });
    await store.touch([{ key: "a", accessedAt: 9, transactions: 1 }]);
    expect(await store.delete("a")).toBe(true);
    expect(measured()).toBe(0);
  });

  test("it is measured again after ten minutes, by which time it may have lost some", async () => {
    const { store, set, measured, schema } = await withClock();
    await store.write("a", birth);
    await set("-3 hours");
    const began = performance.now();
    vi.useFakeTimers({ toFake: ["performance"] });
    // It starts anew from 0.
    vi.advanceTimersByTime(began + 599_000);
    await store.write("a", setting("1"));
    expect(measured()).toBe(0);
    vi.advanceTimersByTime(2000);
    await Promise.all([1, 2, 3].map(() => store.write("a", setting("1"))));
    expect(measured()).toBe(1);
    await store.write("a", setting("1"));
    expect(measured()).toBe(0);
    vi.useRealTimers();
    expect((await postgresStore(pool, { schema }).read("a"))?.rev).toBe(6);
  });
});
