import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { storeLaws } from "@catnap/testing";
import { describe, expect, test as plain } from "vitest";
import { openFile } from "../../../test/sqlite-file.ts";
import { all } from "./driver.ts";
import { migrate } from "./schema.ts";
import { sqliteStore } from "./sqlite-store.ts";

const test = plain.extend<{ path: string }>({
  // vitest wants the empty pattern to know that this fixture needs no other.
  // biome-ignore lint/correctness/noEmptyPattern: see above
  path: async ({}, use) => {
    const folder = await mkdtemp(join(tmpdir(), "catnap-schema-"));
    await use(join(folder, "sessions.db"));
    await rm(folder, { recursive: true });
  },
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

/** What a later Catnap may do to the tables and leave them usable to this one. */
const later = `
  ALTER TABLE catnap_session ADD COLUMN note TEXT;
  ALTER TABLE catnap_entry ADD COLUMN note TEXT NOT NULL DEFAULT 'new';
  CREATE TABLE catnap_note (session INTEGER PRIMARY KEY, note TEXT);
  UPDATE catnap_schema SET version = 2`;

/** A file whose tables a later Catnap has changed, and the file opened. */
async function changedLater(path: string) {
  const database = await openFile(path);
  migrate(database, path, true);
  database.exec(later);
  return database;
}

describe("sqliteStore on tables that a later version has changed keeps the law:", () => {
  for (const law of storeLaws) {
    test(law.name, async ({ path, skip }) => {
      const outcome = await law.check(async () => {
        const database = await changedLater(path);
        database.close();
        const store = sqliteStore(path);
        return { store, reopen: async () => sqliteStore(path), cleanup: () => store.close() };
      });
      if (outcome.kind === "skipped") skip(outcome.reason);
    });
  }
});

test("what a later version keeps in columns of its own stays, and so does its version", async ({ path }) => {
  const database = await changedLater(path);
  const store = sqliteStore(path);
  const change = (value: string) => new Map([["k", { value, writer: "server", seq: 0 }]]);
  const commit = { now: 0, accessedAt: 0, transactions: 1, expect: new Map() };
  await store.write("a", { ...commit, create: { createdAt: 0, endsAt: 9e9 }, timeoutMs: 9e9, changes: change("1") });
  database.exec("UPDATE catnap_session SET note = 'kept'; UPDATE catnap_entry SET note = 'kept'");
  await store.write("a", { ...commit, changes: change("2") });
  await store.touch([{ key: "a", accessedAt: 5, transactions: 1 }]);
  const notes = all(
    database,
    "SELECT s.note AS own, e.note, e.value, s.transactions FROM catnap_session s JOIN catnap_entry e",
  );
  expect(notes).toMatchObject([{ own: "kept", note: "kept", value: "2", transactions: 3 }]);
  expect(all(database, "SELECT * FROM catnap_schema")).toMatchObject([{ version: 2, usable_from: 1 }]);
  database.close();
  await store.close();
});

test("a file whose version says that this one cannot work with it stays as it is", async ({ path }) => {
  const database = await openFile(path);
  migrate(database, path, true);
  database.exec("UPDATE catnap_schema SET version = 99, usable_from = 98");
  await expect(sqliteStore(path).read("session-0")).rejects.toMatchObject({
    code: "STORE_UNUSABLE",
    message: expect.stringMatching(/sessions\.db has version 99 .* upgrade Catnap/),
  });
  await expect(sqliteStore(database).read("session-0")).rejects.toMatchObject({ code: "STORE_UNUSABLE" });
  expect(all(database, "SELECT version FROM catnap_schema")).toMatchObject([{ version: 99 }]);
  database.close();
});

test("a version that cannot be read is no newer one", async ({ path }) => {
  await sqliteStore(path).read("a");
  const database = await openFile(path);
  const damages = [
    "DELETE FROM catnap_schema",
    "INSERT INTO catnap_schema VALUES ('two', 1)",
    "UPDATE catnap_schema SET version = 2, usable_from = 0",
  ];
  for (const damaged of damages) {
    database.exec(damaged);
    await expect(sqliteStore(path).read("a")).rejects.toMatchObject({
      code: "STORE_UNUSABLE",
      message: `${basename(path)} has no version that can be read of Catnap's tables and this Catnap knows version 1: restore a backup`,
    });
  }
  database.close();
});

test("a session of a subject with a NUL, which others have written, cannot be read and is nobody's", async ({
  path,
}) => {
  const database = await openFile(path);
  migrate(database, path, true);
  const insert = database.prepare(`
    INSERT INTO catnap_session (identifier, rev, created_at, ends_at, accessed_at, timeout_ms, due_at, transactions, subject, stamp)
    VALUES (?, 1, 0, 100, 0, 100, 100, 1, ?, 1)`);
  insert.run("a", "admin");
  insert.run("b", "admin\0x");
  const store = sqliteStore(path);
  await expect(store.read("b")).rejects.toMatchObject({ code: "STORE_UNUSABLE" });
  expect((await store.find({ limit: 5, subject: "admin" })).items).toMatchObject([{ identifier: "a" }]);
  database.close();
  await store.close();
});
