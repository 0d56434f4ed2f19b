import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type MakeStore, storeLaws } from "@catnap/testing";
import { describe, test } from "vitest";
import { openBetterSqlite3 } from "../../../test/better-sqlite3.ts";
import { openFile } from "../../../test/sqlite-file.ts";
import type { SqliteDatabase } from "./driver.ts";
import { sqliteStore } from "./sqlite-store.ts";

async function ofFile() {
  const folder = await mkdtemp(join(tmpdir(), "catnap-laws-"));
  const path = join(folder, "sessions.db");
  const store = sqliteStore(path);
  return {
    store,
    reopen: async () => sqliteStore(path),
    cleanup: async () => {
      await store.close();
      await rm(folder, { recursive: true });
    },
  };
}

const ofDatabase = async () => beside(await openFile(":memory:"));

function beside(database: SqliteDatabase) {
  database.exec("CREATE TABLE product (sku TEXT PRIMARY KEY)");
  const store = sqliteStore(database);
  return {
    store,
    cleanup: async () => {
      await store.close();
      database.close();
    },
  };
}

/** There, unless it was not built. */
const better = await openBetterSqlite3(":memory:");
better?.close();
const ofBetterSqlite3 = async () => beside((await openBetterSqlite3(":memory:")) as SqliteDatabase);

const kinds: [string, MakeStore][] = [
  ["of a path", ofFile],
  ["of an application's database", ofDatabase],
];
if (better) kinds.push(["of an application's database of better-sqlite3", ofBetterSqlite3]);

describe.each(kinds)("sqliteStore %s keeps the law:", (_, makeStore) => {
  for (const law of storeLaws) {
    test(law.name, async ({ skip }) => {
      const outcome = await law.check(makeStore);
      if (outcome.kind === "skipped") skip(outcome.reason);
    });
  }
});
