import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { storeLaws } from "@catnap/testing";
import { describe, test } from "vitest";
import { openFile } from "../../../test/sqlite-file.ts";
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

async function ofDatabase() {
  const database = await openFile(":memory:");
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

describe.each([
  ["of a path", ofFile],
  ["of an application's database", ofDatabase],
])("sqliteStore %s keeps the law:", (_, makeStore) => {
  for (const law of storeLaws) {
    test(law.name, async ({ skip }) => {
      const outcome = await law.check(makeStore);
      if (outcome.kind === "skipped") skip(outcome.reason);
    });
  }
});
