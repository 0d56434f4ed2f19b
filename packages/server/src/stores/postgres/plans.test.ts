import { afterAll, describe, expect, test } from "vitest";
import { startPostgres } from "../../../test/servers/postgres.ts";
import { tapped } from "../../../test/servers/postgres-tap.ts";
import type { Commit, Page, SessionInfo } from "../store.ts";
import { postgresStore } from "./postgres-store.ts";

const server = await startPostgres();
afterAll(() => server?.stop());

const commit: Commit = { now: 0, accessedAt: 0, transactions: 1, expect: new Map(), changes: new Map() };
const changes = (value: string) => new Map([["a", { value, writer: "server", seq: 0 }]]);

/** A moment by which the expired ones have expired and the others have not. */
const moment = 1e6;

describe.skipIf(!server)("postgresStore over many sessions", () => {
  if (!server) return;
  const pool = server.pool({ max: 1 });
  let schemas = 0;

  /** A store over so many sessions, `expired` of which have expired, and what the database has looked at for its last call. */
  async function filled(sessions: number, expired: number, analyse = true) {
    const schema = `plan_${++schemas}`;
    const looked = { rows: 0, walks: 0 };
    // Of this connection, and not yet told to others: what it has done in this transaction.
    const held = `SELECT sum(seq_scan) AS walks, sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) AS rows
      FROM pg_stat_xact_user_tables WHERE schemaname = $1 AND relname <> 'version'`;
    const tap = tapped(pool, async (query, client) => {
      await client.query("BEGIN");
      try {
        const before = (await client.query(held, [schema])).rows[0];
        const result = await client.query(query);
        const after = (await client.query(held, [schema])).rows[0];
        looked.walks = Number(after.walks) - Number(before.walks);
        looked.rows = Number(after.rows) - Number(before.rows);
        return result;
      } finally {
        await client.query("COMMIT");
      }
    });
    await postgresStore(pool, { schema }).migrate();
    await pool.query(
      `INSERT INTO ${schema}.session (identifier, rev, created_at, ends_at, accessed_at, timeout_ms, due_at,
         transactions, subject, stamp, prior_stamp)
       SELECT md5(n::text), 1, 0, due, 0, due, due, 1, 'subject ' || n / 10, 1, 0
       FROM (SELECT n, CASE WHEN n <= $2 THEN $3 - n ELSE $3 + n END::float8 AS due FROM generate_series(1, $1::integer) AS n
         ORDER BY md5(n::text || 'shuffled')) AS made`,
      [sessions, expired, moment],
    );
    await pool.query(`INSERT INTO ${schema}.entry (session, key, value, rev, writer, seq)
      SELECT id, key, '1', 1, 'server', 0 FROM ${schema}.session, unnest(ARRAY['a', 'b', 'c']) AS key`);
    if (analyse) await pool.query(`VACUUM ANALYZE ${schema}.session, ${schema}.entry`);
    return { store: postgresStore(tap, { schema, timeout: 60, cacheBytes: 0 }), looked };
  }

  const keyOf = async (n: number) => (await pool.query("SELECT md5($1) AS key", [String(n)])).rows[0].key as string;

  test("no call walks through a whole table, whether it is planned for its values or for any", async () => {
    const expired = 60;
    const { store, looked } = await filled(5000, expired);
    const [known, other] = [await keyOf(4000), await keyOf(4001)];
    const update: Commit = { ...commit, now: moment, accessedAt: moment };
    let births = 0;
    const birth = () =>
      store.write(`born ${++births}`, { ...update, create: { createdAt: 0, endsAt: 1e9 }, timeoutMs: 1e9 });
    const calls: Record<string, [most: number, call: () => Promise<unknown>]> = {
      "read what is not there": [0, () => store.read("nobody")],
      read: [10, () => store.read(known)],
      create: [10, birth],
      "create what is there": [10, () => store.write(known, { ...update, create: { createdAt: 0, endsAt: 1e9 } })],
      write: [10, () => store.write(known, { ...update, changes: changes("2") })],
      "write with an expectation": [
        15,
        () => store.write(other, { ...update, expect: new Map([["b", 1]]), changes: changes("2") }),
      ],
      "write with one that does not hold": [15, () => store.write(other, { ...update, expect: new Map([["b", 7]]) })],
      remove: [
        15,
        () =>
          store.write(known, { ...update, changes: new Map([["c", { value: undefined, writer: "server", seq: 0 }]]) }),
      ],
      touch: [10, () => store.touch([{ key: known, accessedAt: moment + 1, transactions: 1 }])],
      find: [30, () => store.find({ limit: 20, cursor: "5" })],
      "find a subject's": [30, () => store.find({ subject: "subject 7", limit: 20 })],
      "find a subject's expired": [30, () => store.find({ subject: "subject 3", expiredAt: moment, limit: 20 })],
      "find the expired": [3 * expired, () => store.find({ expiredAt: moment, limit: 20 })],
      "find the expired further on": [3 * expired, () => store.find({ expiredAt: moment, limit: 20, cursor: "8" })],
      "find with an entry of each": [50, () => store.find({ limit: 20, cursor: "5", entries: ["b", "none"] })],
      "find a subject's with an entry of each": [
        50,
        () => store.find({ subject: "subject 7", limit: 20, entries: ["b"] }),
      ],
      "find the expired with an entry of each": [
        3 * expired + 40,
        () => store.find({ expiredAt: moment, limit: 20, entries: ["b"] }),
      ],
      "delete what has not expired": [10, () => store.delete(known, moment)],
      delete: [20, async () => store.delete(`born ${births--}`)],
      sweep: [30, () => store.sweep(moment, 2)],
    };
    for (const [name, [most, call]] of Object.entries(calls)) {
      // PostgreSQL plans a prepared statement five times for its values before it considers a plan for any.
      for (let i = 0; i < 8; i++) {
        await call();
        expect(looked.walks, name).toBe(0);
        expect(looked.rows, name).toBeLessThanOrEqual(most);
      }
    }
  });

  test("a few expired among many are found by their time, also before the database knows that they are few", async () => {
    const { store, looked } = await filled(5000, 60, false);
    for (let i = 0; i < 8; i++) {
      expect((await store.find({ expiredAt: moment, limit: 20 })).items).toHaveLength(20);
      expect(looked.walks).toBe(0);
      expect(looked.rows).toBeLessThanOrEqual(3 * 60);
    }
  });

  test("of a long backlog each page costs little, none is left out, and they come in order", {
    timeout: 60_000,
  }, async () => {
    const [sessions, expired, limit] = [60_000, 30_000, 500];
    const { store, looked } = await filled(sessions, expired);
    const found: SessionInfo[] = [];
    let page: Page<SessionInfo> | undefined;
    do {
      page = await store.find({
        expiredAt: moment,
        limit,
        ...(page?.cursor === undefined ? {} : { cursor: page.cursor }),
      });
      // Half of all have expired, so a page lies among twice as many; whether there are many is told by the index alone.
      if (page.cursor !== undefined) expect(looked.rows).toBeLessThan(4 * limit);
      found.push(...page.items);
    } while (page.cursor !== undefined);
    expect(found).toHaveLength(expired);
    expect(new Set(found.map(({ identifier }) => identifier)).size).toBe(expired);
    expect(found.map(({ identifier }) => identifier)).toEqual(found.map(({ identifier }) => identifier).sort());
    expect(found.every(({ expiresAt }) => expiresAt <= moment)).toBe(true);
    // A sweep from the longest expired on is short as well.
    expect(await store.sweep(moment, limit)).toBe(limit);
    expect(looked.walks).toBe(0);
    expect(looked.rows).toBeLessThan(6 * limit);
  });
});
