import pg from "pg";
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { startPostgres } from "../../../test/servers/postgres.ts";
import { tapped } from "../../../test/servers/postgres-tap.ts";
import type { Commit } from "../store.ts";
import { PostgresDatabase } from "./database.ts";
import { translate } from "./errors.ts";
import { postgresStore } from "./postgres-store.ts";

// Rows that nobody of ours has written, drivers that were taught other ways, and what a database may refuse.

const server = await startPostgres();
afterAll(() => server?.stop());
afterEach(() => {
  vi.restoreAllMocks();
});

const secret = "the value of a key";
const commit: Commit = { now: 0, accessedAt: 0, transactions: 1, expect: new Map(), changes: new Map() };
const setting = (value: string): Commit => ({
  ...commit,
  changes: new Map([["a", { value, writer: "server", seq: 0 }]]),
});
const birth: Commit = {
  ...setting(secret),
  create: { createdAt: 0, endsAt: 1e6 },
  timeoutMs: 1e6,
  subject: "Alice",
  authenticatedAt: 1.5,
};

describe.skipIf(!server)("postgresStore", () => {
  if (!server) return;
  const direct = server.pool({ max: 5 });
  let schemas = 0;
  const fresh = async (own = direct) => {
    const schema = `damage_${++schemas}`;
    const store = postgresStore(own, { schema });
    await store.migrate();
    await store.write("alice", birth);
    return { store, schema };
  };
  const refusal = (call: Promise<unknown>) =>
    call.then(
      () => undefined,
      (error: unknown) => translate(error),
    );

  test.each([
    ["a revision below 0", "rev = -1", false],
    ["a revision beyond what JavaScript counts", "rev = 9007199254740993", false],
    ["a time that is none", "ends_at = 'NaN'", false],
    ["a time without end", "created_at = '-Infinity'", true],
    ["a count below 0", "transactions = -1", true],
  ])("a session with %s is named, and can be ended", async (_what, damage, inPages) => {
    const { store, schema } = await fresh();
    await store.write("bob", birth);
    await direct.query(`UPDATE ${schema}.session SET ${damage} WHERE identifier = 'alice'`);
    const named = { code: "STORE_UNUSABLE", message: expect.stringContaining("session alice ") };
    const calls: Promise<unknown>[] = [
      store.read("alice"),
      store.write("alice", { ...commit, expect: new Map([["a", 7]]) }),
    ];
    if (inPages) calls.push(store.find({ limit: 5 }));
    for (const error of await Promise.all(calls.map(refusal))) {
      expect(error).toMatchObject(named);
      expect(error?.message).not.toContain(secret);
    }
    expect((await store.read("bob"))?.rev).toBe(1);
    expect(await store.delete("alice")).toBe(true);
    expect((await store.find({ limit: 5 })).items).toHaveLength(1);
  });

  test.each([
    ["a name", "key", "E'\\x01' || key"],
    ["a value", "value", "E'\\x01' || value"],
    ["a writer", "writer", "E'\\x01 '"],
    ["a number", "seq", "-1"],
    ["a revision", "rev", "9223372036854775807"],
  ])("an entry with %s that Catnap never writes is not shown for another", async (_what, column, expression) => {
    const { store, schema } = await fresh();
    await direct.query(`UPDATE ${schema}.entry SET ${column} = ${expression}`);
    const error = await refusal(postgresStore(direct, { schema }).read("alice"));
    expect(error).toMatchObject({ code: "STORE_UNUSABLE", message: expect.stringContaining("session alice ") });
    expect(error?.message).not.toContain(secret);
    if (column === "value") {
      expect(await refusal(store.find({ limit: 5, entries: ["a"] }))).toEqual(error);
    }
  });

  test("a stamp of 0 hides no entries", async () => {
    const { schema } = await fresh();
    await direct.query(`UPDATE ${schema}.session SET stamp = 0`);
    const record = await postgresStore(direct, { schema }).read("alice");
    expect(record?.entries.get("a")?.value).toBe(secret);
  });

  /** Each kind of call, and what it gives. */
  async function everyCall(own: pg.Pool) {
    const { store } = await fresh(own);
    expect(await store.write("alice", setting("2"))).toEqual({ ok: true, rev: 2 });
    expect(await store.write("alice", { ...commit, expect: new Map([["a", 9]]) })).toMatchObject({
      record: { rev: 2 },
    });
    expect(await store.read("alice")).toMatchObject({
      rev: 2,
      subject: "Alice",
      authenticatedAt: 1.5,
      transactions: 2,
    });
    const heard: number[] = [];
    const stop = store.watch?.("alice", (rev) => heard.push(rev));
    await expect.poll(() => heard).toEqual([2]);
    stop?.();
    await store.touch([{ key: "alice", accessedAt: 5, transactions: 1 }]);
    const { items } = await store.find({ limit: 1, entries: ["a"] });
    expect(items).toMatchObject([{ accessedAt: 5, expiresAt: 1e6, entries: new Map([["a", "2"]]) }]);
    expect([await store.lease?.("task", "me", 1e300), await store.lease?.("task", "you", 1)]).toEqual([true, false]);
    expect([await store.lease?.("task", "you", 0), await store.lease?.("task", "me", 0)]).toEqual([false, true]);
    expect([await store.delete("bob"), await store.delete("alice")]).toEqual([false, true]);
    await store.write("alice", birth);
    expect(await store.sweep(1e6, 5)).toBe(1);
    await store.close();
  }

  test("what an application has taught pg of all its types does not matter", async () => {
    const oids = [16, 20, 25, 701, 114, 1043, 2278];
    const before = oids.map((oid) => [oid, pg.types.getTypeParser(oid)] as const);
    try {
      for (const oid of oids) pg.types.setTypeParser(oid, () => ({ taught: true }));
      expect((await direct.query("SELECT 'text' AS text")).rows).toEqual([{ text: { taught: true } }]);
      await everyCall(server.pool());
    } finally {
      for (const [oid, parser] of before) pg.types.setTypeParser(oid, parser);
    }
  });

  test("nor does a pool with types of its own, or with columns in the binary format", async () => {
    const types = { getTypeParser: () => () => Symbol("taught") } as unknown as pg.CustomTypesConfig;
    await everyCall(server.pool({ types }));
    await everyCall(server.pool({ binary: true } as pg.PoolConfig));
  });

  test.each([
    ["no rows", () => ({ rows: [] })],
    [
      "rows of another form",
      () => ({ rows: [{ result: 7, record: 7, swept: "x", erased: 1, now: "soon", version: "1" }] }),
    ],
    ["no result", () => undefined],
    ["a list of results", () => [{ rows: [] }]],
  ])("a pool that gives back %s is STORE_UNUSABLE, and no session is taken for dead", async (_what, reply) => {
    const { schema } = await fresh();
    let spoils = false;
    const tap = tapped(direct, async (query, client) => {
      const result = await client.query(query);
      return spoils ? (reply() as { rows: unknown[] }) : result;
    });
    const store = postgresStore(tap, { schema });
    await store.read("alice");
    spoils = true;
    const calls = [store.write("alice", setting("2")), store.delete("alice"), store.sweep(1e6, 1)];
    for (const error of await Promise.all(calls.map(refusal))) {
      expect(error).toMatchObject({ code: "STORE_UNUSABLE", message: expect.stringMatching(/Pool of pg itself/) });
    }
    const clockless = new PostgresDatabase({ pool: tap, name: schema, timeoutMs: 1000, prepare: true });
    expect(await refusal(clockless.ask("read", ["alice", null]))).toMatchObject({ code: "STORE_UNUSABLE" });
  });

  test("what a trigger of somebody's raises is not called unreachable", async () => {
    const { store, schema } = await fresh();
    await direct.query(`
      CREATE FUNCTION ${schema}.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
      CREATE TRIGGER refuse BEFORE UPDATE ON ${schema}.session EXECUTE FUNCTION ${schema}.refuse()`);
    expect(await refusal(store.write("alice", setting("2")))).toMatchObject({
      code: "STORE_UNUSABLE",
      message: expect.stringMatching(/SQLSTATE P0001: .*migrate\(\)/),
    });
  });

  test("a name or a subject that no index holds is called too long", async () => {
    const { store } = await fresh();
    const long = Array.from({ length: 2000 }, (_, i) => String.fromCharCode(0x4e00 + ((i * 7919) % 20_000))).join("");
    const tooLong = { code: "STORE_UNUSABLE", message: expect.stringContaining("below 2,600 bytes") };
    expect(await refusal(store.write("alice", { ...commit, subject: long }))).toMatchObject(tooLong);
    const changes = new Map([[long, { value: "1", writer: "server", seq: 0 }]]);
    expect(await refusal(store.write("alice", { ...commit, changes }))).toMatchObject(tooLong);
    expect((await store.read("alice"))?.rev).toBe(1);
  });

  test("statements of schemas with long names are told apart", async () => {
    const own = server.pool({ max: 1 });
    const shout = vi.spyOn(console, "error");
    const store = postgresStore(own, { schema: "s".repeat(51) });
    await store.migrate();
    await store.write("alice", birth);
    expect((await store.find({ expiredAt: 1e6, limit: 5 })).items).toHaveLength(1);
    expect((await store.find({ expiredAt: 1e6, subject: "Bob", limit: 5 })).items).toHaveLength(0);
    expect(shout).not.toHaveBeenCalled();
  });
});

test.each([
  ["57P03", "STORE_UNAVAILABLE", "is starting up"],
  ["53200", "STORE_UNAVAILABLE", "has run out of resources"],
  ["58030", "STORE_UNAVAILABLE", "its own machine"],
  ["XX000", "STORE_UNAVAILABLE", "an error of its own"],
  ["25P02", "STORE_UNAVAILABLE", "in the middle of somebody's transaction"],
  ["08006", "STORE_UNAVAILABLE", "could not be reached"],
  ["EPIPE", "STORE_UNAVAILABLE", "could not be reached"],
  ["ECONNREFUSED", "STORE_UNAVAILABLE", "could not be reached"],
  ["26000", "STORE_UNUSABLE", "pool_mode to session"],
  ["23514", "STORE_UNUSABLE", "SQLSTATE 23514"],
  ["22P02", "STORE_UNUSABLE", "SQLSTATE 22P02"],
])("an error of %s is %s and says what to do", (code, expected, words) => {
  const cause = Object.assign(new Error("in the driver's words"), { code });
  expect(translate(cause)).toMatchObject({ code: expected, message: expect.stringContaining(words), cause });
});

test.each([[undefined], [null], ["a text"], [{}], [{ code: 7 }]])("what is thrown may be %j", (thrown) => {
  expect(translate(thrown)).toMatchObject({ code: "STORE_UNAVAILABLE" });
});
