import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test as plain } from "vitest";
import { openFile } from "../../../test/sqlite-file.ts";
import type { Commit } from "../store.ts";
import { all } from "./driver.ts";
import { sqliteStore } from "./sqlite-store.ts";

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

test("a database that the application has closed is named as that", async ({ path }) => {
  const database = await openFile(path);
  const store = sqliteStore(database);
  database.close();
  await expect(store.read("a")).rejects.toMatchObject({
    code: "STORE_UNAVAILABLE",
    message: "The session database could not be used: make sure that the database is open, and see the error's cause",
  });
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

test("texts are what they were in a database of UTF-16", async ({ path }) => {
  const database = await openFile(path);
  database.exec("PRAGMA encoding = 'UTF-16'");
  const store = sqliteStore(database);
  await store.write("a", { ...birth, subject: "é🐈", changes: setting("NUL \0 inside 🐈").changes });
  expect(await store.read("a")).toMatchObject({ identifier: "a", subject: "é🐈" });
  expect((await store.read("a"))?.entries.get("a")?.value).toBe("NUL \0 inside 🐈");
  expect((await store.find({ subject: "é🐈", entries: ["a"], limit: 1 })).items).toMatchObject([
    { identifier: "a", subject: "é🐈", entries: new Map([["a", "NUL \0 inside 🐈"]]) },
  ]);
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
    await store.find({ ...filter, entries: ["a", "b"], limit: 2 });
  }
  await store.lease?.("sweep", "holder", 1000);
  await store.lease?.("sweep", "holder", 0);
  await store.delete("a", 1);
  await store.sweep(1, 1);
  for (const sql of prepared) {
    // better-sqlite3 binds numbered parameters by name only.
    expect(sql).not.toMatch(/\?\d/);
    const steps = all(database, `EXPLAIN QUERY PLAN ${sql}`).map((step) => step.detail);
    expect(steps, sql).not.toContainEqual(
      expect.stringMatching(/SCAN (catnap_session|catnap_entry|catnap_lease|[se])\b/),
    );
  }
  database.close();
});
