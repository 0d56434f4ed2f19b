import { mkdir, mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, test as plain } from "vitest";
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
    await expect(store.read("a")).rejects.toEqual(failure("STORE_UNUSABLE", "sessions.db cannot be opened"));
    await mkdir(join(dirname(path), "missing"));
    expect(await store.read("a")).toBeNull();
    await store.close();
  });

  test("a folder in the file's place", async ({ path }) => {
    await mkdir(path);
    await expect(sqliteStore(path).read("a")).rejects.toEqual(
      failure("STORE_UNUSABLE", `${basename(path)} cannot be opened`),
    );
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
    await expect(store.read("session-7")).rejects.toEqual(failure("STORE_UNUSABLE", `${basename(path)} is corrupt`));
    await expect(store.write("session-7", setting("2"))).rejects.toEqual(failure("STORE_UNUSABLE", "corrupt"));
    await store.close();
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
    const pages = Number(all(database, "PRAGMA page_count")[0]?.page_count);
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

test("a file is what it was after the store was closed and opened again", async ({ path }) => {
  await fill(path, 3);
  const store = sqliteStore(path);
  expect((await store.find({ limit: 9 })).items).toHaveLength(3);
  expect((await store.read("session-1"))?.entries.get("a")?.value).toBe("x".repeat(500));
  await store.close();
});

test("what SQLite cannot keep is refused, and ends no process", async ({ path }) => {
  const store = sqliteStore(path);
  const wrong = expect.objectContaining({ code: "INVALID_OPTION" });
  await store.write("a", birth);
  for (const value of [true, {}, ["a", "b"], () => 1, Symbol("s"), 5n]) {
    // What a caller without types may pass.
    const odd = value as never;
    await expect(store.read(odd)).rejects.toEqual(wrong);
    await expect(store.delete(odd)).rejects.toEqual(wrong);
    await expect(store.touch([{ key: odd, accessedAt: 1, transactions: 1 }])).rejects.toEqual(wrong);
    await expect(store.find({ cursor: odd, limit: 1 })).rejects.toEqual(wrong);
    await expect(store.write("a", { ...commit, subject: odd })).rejects.toEqual(wrong);
    await expect(
      store.write("a", { ...commit, changes: new Map([["b", { ...put(""), writer: odd }]]) }),
    ).rejects.toEqual(wrong);
    await expect(store.lease?.("sweep", odd, 1)).rejects.toEqual(wrong);
  }
  expect((await store.read("a"))?.rev).toBe(1);
  await store.close();
});
