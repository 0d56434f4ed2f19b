import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { expect, test as plain } from "vitest";
import { openFile } from "../../../test/sqlite-file.ts";
import { all } from "./driver.ts";
import { migrate, migrations } from "./schema.ts";
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

test("a file of a newer version, which stays as it is", async ({ path }) => {
  const database = await openFile(path);
  migrate(database, path, true);
  database.exec("UPDATE catnap_schema SET version = 99");
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
  for (const damaged of ["DELETE FROM catnap_schema", "INSERT INTO catnap_schema VALUES ('two')"]) {
    database.exec(damaged);
    await expect(sqliteStore(path).read("a")).rejects.toMatchObject({
      code: "STORE_UNUSABLE",
      message: `${basename(path)} has no version that can be read of Catnap's tables and this Catnap knows version 3: restore a backup`,
    });
  }
  database.close();
});

test("a session of a subject with a NUL, from a Catnap that took it, ends with the upgrade", async ({ path }) => {
  const database = await openFile(path);
  for (const step of migrations.slice(0, 2)) database.exec(step);
  database.exec("CREATE TABLE catnap_schema (version INTEGER NOT NULL); INSERT INTO catnap_schema VALUES (2)");
  const insert = database.prepare(`
    INSERT INTO catnap_session (identifier, rev, created_at, ends_at, accessed_at, timeout_ms, due_at, transactions, subject)
    VALUES (?, 1, 0, 100, 0, 100, 100, 1, ?)`);
  insert.run("a", "admin");
  insert.run("b", "admin\0x");
  insert.run("c", null);
  const store = sqliteStore(path);
  expect((await store.find({ limit: 5 })).items).toMatchObject([
    { identifier: "a", subject: "admin" },
    { identifier: "c", subject: null },
  ]);
  // A process of the version before goes on until it is replaced.
  insert.run("d", "admin\0x");
  await expect(store.read("d")).rejects.toMatchObject({ code: "STORE_UNUSABLE" });
  database.close();
  await store.close();
});
