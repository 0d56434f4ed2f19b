import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openFile } from "../../../test/sqlite-file.ts";
import type { SessionStore } from "../store.ts";
import { all, type SqliteDatabase } from "./driver.ts";
import { migrate } from "./schema.ts";
import { sqliteStore } from "./sqlite-store.ts";

const cleanups: (() => unknown)[] = [];
let path = "";
beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), "catnap-space-"));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  path = join(folder, "sessions.db");
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function storeOf(source: string | SqliteDatabase): SessionStore {
  const store = sqliteStore(source);
  cleanups.push(() => store.close());
  return store;
}

async function database(): Promise<SqliteDatabase> {
  const opened = await openFile(path);
  cleanups.push(() => opened.close());
  return opened;
}

const megabyte = 1_048_576;
const sizeOf = (file: string) => statSync(file).size;

/** The size of the file once the log is in it. */
function settled(opened: SqliteDatabase): number {
  all(opened, "PRAGMA wal_checkpoint(TRUNCATE)");
  return sizeOf(path);
}

/** Makes sessions of four kilobytes, of which every hundredth lives on after 1000. */
async function fill(store: SessionStore, count: number) {
  const changes = new Map([["a", { value: "x".repeat(4000), writer: "server", seq: 0 }]]);
  const birth = {
    now: 0,
    accessedAt: 0,
    transactions: 1,
    expect: new Map(),
    changes,
    create: { createdAt: 0, endsAt: 1e9 },
  };
  for (let i = 0; i < count; i++) {
    await store.write(`session-${i}`, { ...birth, timeoutMs: i % 100 === 0 ? 1e9 : 1000 });
  }
}

async function sweepAll(store: SessionStore) {
  while ((await store.sweep(1000, 200)) === 200);
}

test("a swept file shrinks, and what lives on in it is whole", async () => {
  const store = storeOf(path);
  await fill(store, 2000);
  const opened = await database();
  expect(settled(opened)).toBeGreaterThan(8 * megabyte);
  await sweepAll(store);
  expect(settled(opened)).toBeLessThan(2 * megabyte);
  expect(all(opened, "PRAGMA integrity_check")).toEqual([{ integrity_check: "ok" }]);
  expect((await store.find({ limit: 100 })).items).toHaveLength(20);
  expect((await store.read("session-1900"))?.entries.get("a")?.value).toBe("x".repeat(4000));
});

test("a file that is swept one by one shrinks as well", async () => {
  const store = storeOf(path);
  await fill(store, 2000);
  const opened = await database();
  for (let i = 0; i < 2000; i++) await store.delete(`session-${i}`, 1000);
  expect(settled(opened)).toBeLessThan(2 * megabyte);
});

test("a file of an older version shrinks once somebody has run VACUUM as the documentation says", async () => {
  const old = await database();
  migrate(old, path, true);
  all(old, "PRAGMA journal_mode = WAL");
  const store = storeOf(path);
  await fill(store, 2000);
  await sweepAll(store);
  expect(settled(old)).toBeGreaterThan(8 * megabyte);
  old.exec("PRAGMA auto_vacuum = INCREMENTAL");
  old.exec("VACUUM");
  expect(settled(old)).toBeLessThan(2 * megabyte);
  await fill(store, 2000);
  await sweepAll(store);
  expect(settled(old)).toBeLessThan(2 * megabyte);
});

test("an application's database keeps its free pages for the application", async () => {
  const own = await database();
  own.exec("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA synchronous = OFF");
  const store = storeOf(own);
  await fill(store, 2000);
  const before = sizeOf(path);
  await sweepAll(store);
  expect(sizeOf(path)).toBe(before);
});

test("requests come in between while much is swept", async () => {
  const store = storeOf(path);
  await fill(store, 2000);
  let done = false;
  const sweep = sweepAll(store).finally(() => {
    done = true;
  });
  let between = 0;
  for (; !done; between++) {
    await turn();
    await store.read("session-0");
  }
  await sweep;
  expect(between).toBeGreaterThan(5);
});

test("the log shrinks again after a long read has kept it from being taken over", async () => {
  const store = storeOf(path);
  await fill(store, 1);
  const reader = await database();
  reader.exec("BEGIN");
  all(reader, "SELECT * FROM catnap_session");
  await fill(store, 5000);
  expect(sizeOf(`${path}-wal`)).toBeGreaterThan(20 * megabyte);
  reader.exec("COMMIT");
  await fill(store, 3);
  for (let i = 0; i < 3; i++) await store.touch([{ key: "session-0", accessedAt: i, transactions: 1 }]);
  expect(sizeOf(`${path}-wal`)).toBeLessThanOrEqual(16 * megabyte);
});
