import { mkdir, mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, test as plain } from "vitest";
import type { Commit } from "../store.ts";
import { sqliteStore } from "./sqlite.ts";
import { all, openFile } from "./sqlite-driver.ts";
import { migrate } from "./sqlite-schema.ts";

const test = plain.extend<{ path: string }>({
  // vitest wants the empty pattern to know that this fixture needs no other.
  // biome-ignore lint/correctness/noEmptyPattern: see above
  path: async ({}, use) => {
    const folder = await mkdtemp(join(tmpdir(), "catnap-sqlite-"));
    await use(join(folder, "sessions.db"));
    await rm(folder, { recursive: true });
  },
});

const put = (value: string) => ({ value, writer: "server", seq: 0 });
const commit: Commit = { now: 0, accessedAt: 0, transactions: 1, expect: new Map(), changes: new Map() };
const birth: Commit = { ...commit, create: { createdAt: 0, endsAt: 100 }, timeoutMs: 100 };
const setting = (value: string): Commit => ({ ...commit, changes: new Map([["a", put(value)]]) });

/** Makes a file of `count` sessions and closes it. */
async function fill(path: string, count: number) {
  const store = sqliteStore(path);
  for (let i = 0; i < count; i++)
    await store.write(`session-${i}`, { ...birth, changes: setting("x".repeat(500)).changes });
  await store.close();
}

const failure = (code: string, words: string) =>
  expect.objectContaining({ code, message: expect.stringContaining(words), cause: expect.anything() });

describe("STORE_UNUSABLE", () => {
  test("a path in a missing folder, until the folder is made", async ({ path }) => {
    const store = sqliteStore(join(dirname(path), "missing", "sessions.db"));
    await expect(store.read("a")).rejects.toEqual(failure("STORE_UNUSABLE", "missing/sessions.db cannot be opened"));
    await mkdir(join(dirname(path), "missing"));
    expect(await store.read("a")).toBeNull();
    await store.close();
  });

  test("a folder in the file's place", async ({ path }) => {
    await mkdir(path);
    await expect(sqliteStore(path).read("a")).rejects.toEqual(failure("STORE_UNUSABLE", `${path} cannot be opened`));
  });

  test("a file that is no database", async ({ path }) => {
    await writeFile(path, "Dear diary, ".repeat(1000));
    await expect(sqliteStore(path).read("a")).rejects.toEqual(failure("STORE_UNUSABLE", "not a SQLite database"));
    expect((await readFile(path, "utf8")).slice(0, 10)).toBe("Dear diary");
  });

  test("a corrupt file, to whatever call hits upon it", async ({ path }) => {
    await fill(path, 100);
    const file = await open(path, "r+");
    const { size } = await file.stat();
    // The first page holds the schema, which is left in order.
    for (let page = 1; page < size / 4096; page++) await file.write(Buffer.alloc(4096, 0x5a), 0, 4096, page * 4096);
    await file.close();
    const store = sqliteStore(path);
    await expect(store.read("session-7")).rejects.toEqual(failure("STORE_UNUSABLE", `${path} is corrupt`));
    await expect(store.write("session-7", setting("2"))).rejects.toEqual(failure("STORE_UNUSABLE", "corrupt"));
    await store.close();
  });

  test("a file of a newer version, which stays as it is", async ({ path }) => {
    await fill(path, 1);
    const database = await openFile(path);
    database.exec("UPDATE catnap_schema SET version = 99");
    await expect(sqliteStore(path).read("session-0")).rejects.toMatchObject({
      code: "STORE_UNUSABLE",
      message: expect.stringMatching(/sessions\.db has version 99 .* upgrade Catnap/),
    });
    await expect(sqliteStore(database).read("session-0")).rejects.toMatchObject({ code: "STORE_UNUSABLE" });
    expect(all(database, "SELECT version FROM catnap_schema")).toMatchObject([{ version: 99 }]);
    database.close();
  });

  test("another application's database, which stays as it is", async ({ path }) => {
    const database = await openFile(path);
    database.exec("CREATE TABLE product (sku TEXT)");
    const before = await readFile(path);
    await expect(sqliteStore(path).write("a", birth)).rejects.toMatchObject({
      code: "STORE_UNUSABLE",
      message: expect.stringMatching(/sessions\.db is another application's database: .*pass the opened database/),
    });
    expect((await readFile(path)).equals(before)).toBe(true);
    database.close();
  });

  test("a database that is read-only, to writers", async ({ path }) => {
    await fill(path, 1);
    const database = await openFile(path);
    database.exec("PRAGMA query_only = ON");
    const store = sqliteStore(database);
    expect(await store.read("session-0")).not.toBeNull();
    for (const call of [
      () => store.write("session-0", setting("2")),
      () => store.write("b", birth),
      () => store.touch([{ key: "session-0", accessedAt: 1, transactions: 1 }]),
      () => store.delete("session-0"),
      () => store.sweep(1000, 10),
    ]) {
      await expect(call()).rejects.toEqual(failure("STORE_UNUSABLE", "read-only"));
    }
    database.close();
  });

  test("tables that somebody dropped", async ({ path }) => {
    await fill(path, 1);
    const database = await openFile(path);
    database.exec("DROP TABLE catnap_entry");
    await expect(sqliteStore(path).read("session-0")).rejects.toEqual(failure("STORE_UNUSABLE", "lacks tables"));
    database.close();
  });
});

describe("STORE_UNAVAILABLE", () => {
  test("a file that another connection keeps locked, to writers only, and only as long", async ({ path }) => {
    await fill(path, 1);
    const store = sqliteStore(path, { lockTimeout: 0.05 });
    await store.read("session-0");
    const other = await openFile(path);
    other.exec("BEGIN IMMEDIATE");
    await expect(store.write("session-0", setting("2"))).rejects.toEqual(failure("STORE_UNAVAILABLE", "stayed locked"));
    await expect(store.write("b", birth)).rejects.toEqual(failure("STORE_UNAVAILABLE", "stayed locked"));
    expect((await store.read("session-0"))?.rev).toBe(1);
    other.exec("ROLLBACK");
    expect(await store.write("session-0", setting("2"))).toEqual({ ok: true, rev: 2 });
    other.close();
    await store.close();
  });

  test("waiting for a lock does not hold up the process", async ({ path }) => {
    await fill(path, 1);
    const store = sqliteStore(path);
    const other = await openFile(path);
    other.exec("BEGIN IMMEDIATE");
    const write = store.write("session-0", setting("2"));
    // If the wait blocked, this timer would fire after the write had given up.
    await pause(30);
    other.exec("ROLLBACK");
    expect(await write).toEqual({ ok: true, rev: 2 });
    other.close();
    await store.close();
  });

  test("closing ends the wait for a lock", async ({ path }) => {
    await fill(path, 1);
    const store = sqliteStore(path);
    await store.read("session-0");
    const other = await openFile(path);
    other.exec("BEGIN IMMEDIATE");
    const write = expect(store.write("session-0", setting("2"))).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    await store.close();
    await write;
    other.close();
  });

  test("a disk that is full, and the commit that met it left nothing", async ({ path }) => {
    await fill(path, 1);
    const database = await openFile(path);
    const store = sqliteStore(database);
    const before = await store.read("session-0");
    const pages = all<{ page_count: number }>(database, "PRAGMA page_count")[0]?.page_count ?? 0;
    all(database, `PRAGMA max_page_count = ${pages + 2}`);
    const big = "x".repeat(100_000);
    const changes = new Map([
      ["small", put("1")],
      ["big", put(big)],
    ]);
    for (const wish of [setting(big), { ...commit, changes }]) {
      await expect(store.write("session-0", wish)).rejects.toEqual(failure("STORE_UNAVAILABLE", "disk is full"));
      expect(await store.read("session-0")).toEqual(before);
    }
    await expect(store.write("b", { ...birth, changes })).rejects.toEqual(failure("STORE_UNAVAILABLE", "disk is full"));
    expect(await store.read("b")).toBeNull();
    all(database, "PRAGMA max_page_count = 100000");
    expect(await store.write("session-0", { ...commit, changes })).toEqual({ ok: true, rev: 2 });
    database.close();
  });
});

test("an opener that finds the tables made between its look and its lock leaves them alone", async ({ path }) => {
  const [slow, fast] = [await openFile(path), await openFile(path)];
  const begun: string[] = [];
  const overtaken = {
    exec: (sql: string) => {
      if (begun.push(sql) === 1) migrate(fast, path, true);
      return slow.exec(sql);
    },
    prepare: (sql: string) => slow.prepare(sql),
    close: () => slow.close(),
  };
  migrate(overtaken, path, true);
  expect(begun).toEqual(["BEGIN IMMEDIATE", "COMMIT"]);
  slow.close();
  fast.close();
});

test("a file is what it was after the store was closed and opened again", async ({ path }) => {
  await fill(path, 3);
  const store = sqliteStore(path);
  expect((await store.find({ limit: 9 })).items).toHaveLength(3);
  expect((await store.read("session-1"))?.entries.get("a")?.value).toBe("x".repeat(500));
  await store.close();
});

test("an application's database keeps its pragmas and its tables, and stays open", async ({ path }) => {
  const database = await openFile(path);
  database.exec("CREATE TABLE product (sku TEXT); PRAGMA user_version = 7; PRAGMA synchronous = OFF");
  const store = sqliteStore(database);
  await store.write("a", birth);
  await store.close();
  expect(all(database, "PRAGMA user_version")).toMatchObject([{ user_version: 7 }]);
  expect(all(database, "PRAGMA synchronous")).toMatchObject([{ synchronous: 0 }]);
  expect(all(database, "PRAGMA journal_mode")).toMatchObject([{ journal_mode: "delete" }]);
  expect(all(database, "SELECT * FROM product")).toEqual([]);
  database.close();
});

test.for([
  ["process", 1],
  ["power", 2],
] as const)("durability %s sets synchronous to %i", async ([durability, synchronous], { path }) => {
  const database = await openFile(path);
  await sqliteStore(database, { durability }).read("a");
  expect(all(database, "PRAGMA synchronous")).toMatchObject([{ synchronous }]);
  database.close();
});

test("numbers are numbers although the application's database answers with bigints", async ({ path }) => {
  const database = await openFile(path);
  // libsql and better-sqlite3 have the switch on the database; `node:sqlite` has it on a statement only.
  (database as { defaultSafeIntegers?: (on: boolean) => void }).defaultSafeIntegers?.(true);
  const store = sqliteStore(database);
  await store.write("a", { ...birth, authenticatedAt: 1, changes: setting("1").changes });
  expect(await store.write("a", setting("2"))).toEqual({ ok: true, rev: 2 });
  expect(await store.read("a")).toMatchObject({ rev: 2, createdAt: 0, authenticatedAt: 1, transactions: 2 });
  expect(await store.write("a", { ...commit, expect: new Map([["a", 2]]) })).toEqual({ ok: true, rev: 3 });
  expect((await store.find({ limit: 1 })).items).toMatchObject([{ accessedAt: 0, expiresAt: 100 }]);
  expect(await store.sweep(100, 1)).toBe(1);
  database.close();
});

test("no call walks through a whole table", async ({ path }) => {
  const database = await openFile(path);
  const prepared = new Set<string>();
  const store = sqliteStore({
    exec: (sql) => database.exec(sql),
    prepare: (sql) => {
      prepared.add(sql);
      return database.prepare(sql);
    },
    close: () => database.close(),
  });
  await store.write("a", { ...birth, subject: "s", changes: setting("1").changes });
  await store.write("a", { ...commit, subject: "t", changes: new Map([["a", { ...put("1"), value: undefined }]]) });
  await store.touch([{ key: "a", accessedAt: 1, transactions: 1 }]);
  for (const filter of [{}, { subject: "t" }, { expiredAt: 5 }, { subject: "t", expiredAt: 5 }]) {
    await store.find({ ...filter, limit: 2 });
  }
  await store.delete("a", 1);
  await store.sweep(1, 1);
  for (const sql of prepared) {
    const steps = all<{ detail: string }>(database, `EXPLAIN QUERY PLAN ${sql}`).map((step) => step.detail);
    expect(steps, sql).not.toContainEqual(expect.stringMatching(/SCAN (catnap_session|catnap_entry|[se])\b/));
  }
  database.close();
});

test("refuses options that make no sense", async () => {
  const invalid = expect.objectContaining({ code: "INVALID_OPTION" });
  expect(() => sqliteStore("")).toThrow(invalid);
  expect(() => sqliteStore("a.db", { lockTimeout: -1 })).toThrow(invalid);
  expect(() => sqliteStore("a.db", { lockTimeout: Number.NaN })).toThrow(invalid);
  // What a caller without types may pass.
  expect(() => sqliteStore("a.db", { durability: "full" as "power" })).toThrow(invalid);
});
