import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openFile } from "../../../test/sqlite-file.ts";
import type { Commit, SessionStore } from "../store.ts";
import type { SqliteDatabase } from "./driver.ts";
import { sqliteStore } from "./sqlite-store.ts";

const now = 1_700_000_000_000;
const birth = { create: { createdAt: now, endsAt: now + 1e9 }, timeoutMs: 1e8 };

function commit(value: string, wish: Partial<Commit> = {}): Commit {
  const changes = new Map([["k", { value, writer: "server", seq: 0 }]]);
  return { now, accessedAt: now, transactions: 1, expect: new Map(), changes, ...wish };
}

let database: SqliteDatabase;
let store: SessionStore;
/** What the driver was told to do, but for what it prepared. */
let said: string[];

beforeEach(async () => {
  database = await openFile(":memory:");
  said = [];
  store = sqliteStore({
    exec(sql) {
      said.push(sql);
      return database.exec(sql);
    },
    prepare: (sql) => database.prepare(sql),
    close: () => database.close(),
  });
  for (const key of ["a", "b", "c"]) await store.write(key, commit("0", birth));
  said = [];
});

afterEach(async () => {
  await store.close();
  database.close();
});

const valueIn = async (key: string) => (await store.read(key))?.entries.get("k")?.value;

test("commits that come in one turn of the event loop are one transaction, and one alone needs none of its own", async () => {
  const results = await Promise.all(["a", "b", "c"].map((key, i) => store.write(key, commit(String(i)))));
  expect(results).toEqual([1, 2, 3].map(() => ({ ok: true, rev: 2 })));
  expect(said).toEqual(["BEGIN IMMEDIATE", "COMMIT"]);
  await store.write("a", commit("alone"));
  expect(said).toHaveLength(2);
  expect([await valueIn("a"), await valueIn("b"), await valueIn("c")]).toEqual(["alone", "1", "2"]);
});

test("commits of one turn to one session meet each other, in their order", async () => {
  const expected = { expect: new Map([["k", 1]]) };
  const [one, two, three] = await Promise.all([
    store.write("a", commit("1", expected)),
    store.write("a", commit("2", expected)),
    store.write("a", commit("3")),
  ]);
  expect([one, three]).toEqual([
    { ok: true, rev: 2 },
    { ok: true, rev: 3 },
  ]);
  expect(two).toMatchObject({ ok: false, record: { rev: 2 } });
  expect(await valueIn("a")).toBe("3");
});

test("a commit that fails over what its session holds takes none of its turn along", async () => {
  database.exec("UPDATE catnap_session SET rev = 9e999 WHERE identifier = 'b'");
  const results = await Promise.allSettled(["a", "b", "c"].map((key) => store.write(key, commit("1"))));
  expect(results).toMatchObject([
    { status: "fulfilled", value: { ok: true, rev: 2 } },
    { status: "rejected", reason: { code: "STORE_UNUSABLE" } },
    { status: "fulfilled", value: { ok: true, rev: 2 } },
  ]);
  expect([await valueIn("a"), await valueIn("c")]).toEqual(["1", "1"]);
});

test("a transaction that fails at its end has written nothing, and nothing of it is remembered", async () => {
  for (const key of ["a", "b"]) await valueIn(key);
  const { exec } = database;
  database.exec = (sql) => {
    if (sql === "COMMIT") throw Object.assign(new Error("database or disk is full"), { code: "SQLITE_FULL" });
    return exec.call(database, sql);
  };
  const writes = ["a", "b"].map((key) => store.write(key, commit("1")));
  for (const write of writes) await expect(write).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  database.exec = exec;
  expect([await valueIn("a"), await valueIn("b")]).toEqual(["0", "0"]);
  expect(await store.write("a", commit("2"))).toEqual({ ok: true, rev: 2 });
});

test("a store that closes writes what waits first", async () => {
  const writing = store.write("a", commit("last"));
  await store.close();
  expect(await writing).toEqual({ ok: true, rev: 2 });
});

test("a store that was never used opens nothing when it closes", async () => {
  const folder = mkdtempSync(join(tmpdir(), "catnap-groups-"));
  const unused = sqliteStore(join(folder, "sessions.db"));
  await unused.close();
  expect(readdirSync(folder)).toEqual([]);
  rmSync(folder, { recursive: true });
});
