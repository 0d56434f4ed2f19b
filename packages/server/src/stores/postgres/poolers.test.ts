import { readFile } from "node:fs/promises";
import { runInNewContext } from "node:vm";
import { storeLaws } from "@catnap/testing";
import type pg from "pg";
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { startPgbouncer } from "../../../test/servers/pgbouncer.ts";
import { startPostgres } from "../../../test/servers/postgres.ts";
import type { Commit } from "../store.ts";
import { postgresStore } from "./postgres-store.ts";

// A pooler between the pool of pg and the database.

const server = await startPostgres();
const pooler = server && (await startPgbouncer(server));
afterAll(async () => {
  await pooler?.stop();
  await server?.stop();
});

const commit: Commit = { now: 0, accessedAt: 0, transactions: 1, expect: new Map(), changes: new Map() };
const birth: Commit = { ...commit, create: { createdAt: 0, endsAt: 1e6 }, timeoutMs: 1e6 };
const setting = (value: string): Commit => ({
  ...commit,
  changes: new Map([["a", { value, writer: "server", seq: 0 }]]),
});

const warnings: string[] = [];
beforeEach(() => {
  vi.spyOn(console, "warn").mockImplementation((line: string) => void warnings.push(line));
});
afterEach(() => {
  vi.restoreAllMocks();
  warnings.splice(0);
});
const losesStatements = expect.stringMatching(/^catnap: .*prepare: false/);
const hearsNothing = expect.stringMatching(/^catnap: nothing arrives .*listen: new Pool/);

describe.skipIf(!server || !pooler)("postgresStore behind pgbouncer", () => {
  if (!server || !pooler) return;
  let schemas = 0;
  const direct = server.pool();
  const fresh = async (own: pg.Pool = pooler.pool(), options: Parameters<typeof postgresStore>[1] = {}) => {
    const schema = `pooler_${++schemas}`;
    const store = postgresStore(own, { schema, ...options });
    await postgresStore(direct, { schema }).migrate();
    return { store, schema };
  };

  describe("keeps the law:", () => {
    const own = pooler.pool({ max: 4 });
    // Without it, live updates come a second late, and the laws wait for two.
    const listen = server.pool();
    for (const law of storeLaws) {
      test(law.name, async ({ skip }) => {
        const outcome = await law.check(async () => {
          const { store, schema } = await fresh(own, { listen });
          return {
            store,
            reopen: async () => postgresStore(own, { schema }),
            cleanup: async () => {
              await store.close();
              await direct.query(`DROP SCHEMA ${schema} CASCADE`);
            },
          };
        });
        if (outcome.kind === "skipped") skip(outcome.reason);
      });
    }
  });

  /** The options of the nth pool in a section of the documentation, as they stand there. */
  async function documented(section: string, nth: number): Promise<pg.PoolConfig> {
    const page = await readFile(new URL("../../../../../docs/stores.md", import.meta.url), "utf8");
    const text = page.slice(page.indexOf(section));
    const literal = [...text.matchAll(/new Pool\((\{[^}]*\})\)/g)][nth]?.[1];
    expect(literal).toBeDefined();
    // Read as the object that it is; the addresses come from the environment, as in an app.
    const { connectionString, ...options } = runInNewContext(`(${literal})`, { process: { env: {} } });
    expect(connectionString).toBeUndefined();
    return options as pg.PoolConfig;
  }

  test("the documented pools serve sixty requests at once, and live updates", async () => {
    const calls = pooler.pool(await documented("### Poolers", 0));
    const listen = server.pool(await documented("### Poolers", 1));
    const { store } = await fresh(calls, { listen, prepare: false });
    await store.migrate();
    const keys = Array.from({ length: 60 }, (_, i) => `key ${i}`);
    for (let round = 0; round < 3; round++) {
      const wrote = await Promise.all(keys.map((key) => store.write(key, round === 0 ? birth : setting(`${round}`))));
      expect(wrote.map((result) => result.ok)).toEqual(keys.map(() => true));
      expect((await Promise.all(keys.map((key) => store.read(key)))).map((record) => record?.rev)).toEqual(
        keys.map(() => round + 1),
      );
    }
    const heard: number[] = [];
    const stop = store.watch?.("key 7", (rev) => heard.push(rev));
    await expect.poll(() => heard).toEqual([3]);
    for (let rev = 4; rev < 7; rev++) {
      await store.write("key 7", setting(`${rev}`));
      // Before it would be asked for.
      await expect.poll(() => heard.at(-1), { timeout: 900, interval: 10 }).toBe(rev);
    }
    stop?.();
    await store.close();
    expect(warnings).toEqual([]);
  });

  test("the pool for a database without pooler is refused with the option and what to do", async () => {
    const { store } = await fresh(pooler.pool(await documented("## PostgreSQL", 0)));
    const calls = await Promise.allSettled(Array.from({ length: 40 }, (_, i) => store.read(`key ${i}`)));
    for (const call of calls) {
      expect(call).toMatchObject({
        status: "rejected",
        reason: { code: "STORE_UNUSABLE", message: expect.stringMatching(/option statement_timeout: .*ALTER ROLE/) },
      });
    }
  });

  test("what is set for the role holds behind the pooler, and migrate is not subject to it", async () => {
    await direct.query("ALTER ROLE catnap SET statement_timeout = 100");
    const other = await startPgbouncer(server);
    try {
      const own = other?.pool() ?? direct;
      expect((await own.query("SHOW statement_timeout")).rows).toEqual([{ statement_timeout: "100ms" }]);
      const { store, schema } = await fresh(own);
      const holder = await direct.connect();
      await holder.query(`BEGIN; LOCK TABLE ${schema}.session`);
      await expect(store.read("a")).rejects.toMatchObject({ message: expect.stringContaining("statement_timeout") });
      await holder.query(`SELECT pg_advisory_xact_lock(hashtext('catnap'), hashtext('catnap:${schema}'))`);
      const migrating = store.migrate();
      const patient =
        "SELECT FROM pg_stat_activity WHERE wait_event = 'advisory' AND clock_timestamp() - query_start > '0.2 s'";
      await expect.poll(async () => (await direct.query(patient)).rows, { timeout: 5000 }).toHaveLength(1);
      await holder.query("COMMIT");
      holder.release();
      await migrating;
      expect(await store.read("a")).toBeNull();
    } finally {
      await direct.query("ALTER ROLE catnap RESET statement_timeout");
      await other?.stop();
    }
  });

  test("statements that the pooler loses go unprepared, and one line says so", async () => {
    const { store, schema } = await fresh(pooler.pool({ max: 60 }));
    const other = postgresStore(pooler.pool({ max: 60 }), { schema });
    await store.write("a", birth);
    const calls = Array.from({ length: 60 }, (_, i) =>
      (i % 2 ? store : other).touch([{ key: "a", accessedAt: i, transactions: 1 }]),
    );
    await Promise.all(calls);
    const reads = await Promise.all(Array.from({ length: 60 }, (_, i) => (i % 2 ? store : other).read("a")));
    // Each counts once, however often it was sent.
    expect(new Set(reads.map((record) => record?.transactions))).toEqual(new Set([61]));
    expect(warnings).toEqual([losesStatements, losesStatements]);
  });

  test("prepare: false sends none that could be lost", async () => {
    const { store } = await fresh(pooler.pool({ max: 60 }), { prepare: false });
    await store.write("a", birth);
    await Promise.all(Array.from({ length: 60 }, () => store.read("a")));
    expect(warnings).toEqual([]);
  });

  test("a connection whose statements somebody has discarded is no harm", async () => {
    const own = server.pool({ max: 1 });
    const { store } = await fresh(own);
    await store.write("a", birth);
    let connections = 0;
    own.on("connect", () => connections++);
    await own.query("DISCARD ALL");
    expect(await store.write("a", setting("1"))).toEqual({ ok: true, rev: 2 });
    expect(warnings).toEqual([losesStatements]);
    expect(connections).toBe(0);
  });

  test("twenty processes migrate at once", async () => {
    const schema = `pooler_${++schemas}`;
    const stores = Array.from({ length: 20 }, () => postgresStore(pooler.pool({ max: 2 }), { schema }));
    await Promise.all(stores.map((store) => store.migrate()));
    expect(await stores[0]?.write("a", birth)).toEqual({ ok: true, rev: 1 });
  });

  test("live updates come a second late at most, and one line says why", async () => {
    const { store } = await fresh(pooler.pool(), { prepare: false });
    await store.write("a", birth);
    const heard: number[] = [];
    const stop = store.watch?.("a", (rev) => heard.push(rev));
    await expect.poll(() => heard).toEqual([1]);
    for (let rev = 2; rev < 5; rev++) {
      await store.write("a", setting(`${rev}`));
      await expect.poll(() => heard.at(-1), { timeout: 3000 }).toBe(rev);
    }
    await expect.poll(() => warnings, { timeout: 10_000 }).toEqual([hearsNothing]);
    stop?.();
    await store.close();
  });

  test("a pool to listen on that leads through the pooler is found out", async () => {
    const { store } = await fresh(pooler.pool(), { prepare: false, listen: pooler.pool({ max: 1 }) });
    await store.write("a", birth);
    const stop = store.watch?.("a", () => undefined);
    const line = expect.stringMatching(/^catnap: nothing arrives over the pool listen: /);
    await expect.poll(() => warnings, { timeout: 10_000 }).toEqual([line]);
    stop?.();
    await store.close();
  });

  test("a pooler that pools by session is like the database itself", async () => {
    const other = await startPgbouncer(server, { pool_mode: "session" });
    try {
      const { store } = await fresh(other?.pool());
      await Promise.all(Array.from({ length: 60 }, (_, i) => store.write(`key ${i}`, birth)));
      const heard: number[] = [];
      const stop = store.watch?.("key 1", (rev) => heard.push(rev));
      await expect.poll(() => heard).toEqual([1]);
      await store.write("key 1", setting("1"));
      await expect.poll(() => heard.at(-1), { timeout: 900, interval: 10 }).toBe(2);
      stop?.();
      await store.close();
      expect(warnings).toEqual([]);
    } finally {
      await other?.stop();
    }
  });
});
