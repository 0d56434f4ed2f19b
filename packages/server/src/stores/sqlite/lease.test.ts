import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openFile } from "../../../test/sqlite-file.ts";
import { all, type SqliteDatabase } from "./driver.ts";
import { sqliteStore } from "./sqlite-store.ts";

const hour = 3_600_000;
let folder = "";
let database: SqliteDatabase;
let store: ReturnType<typeof sqliteStore>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "catnap-lease-"));
  store = sqliteStore(join(folder, "sessions.db"));
  await store.read("a");
  database = await openFile(join(folder, "sessions.db"));
});
afterEach(async () => {
  vi.restoreAllMocks();
  database.close();
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

const rows = () => all(database, "SELECT task, holder FROM catnap_lease");

test("a task that is given back leaves no row, and one that is taken again no second one", async () => {
  expect(await store.lease?.("sweep", "a", hour)).toBe(true);
  expect(await store.lease?.("sweep", "a", hour)).toBe(true);
  expect(await store.lease?.("sweep", "b", hour)).toBe(false);
  expect(rows()).toEqual([{ task: "sweep", holder: "a" }]);
  expect(await store.lease?.("sweep", "b", 0), "it is another's").toBe(false);
  expect(rows()).toHaveLength(1);
  expect(await store.lease?.("sweep", "a", 0), "it is nobody's now").toBe(true);
  expect(rows()).toEqual([]);
});

test("a task is free again when the clock was set back to before it was taken", async () => {
  const later = Date.now() + 365 * 24 * hour;
  const clock = vi.spyOn(Date, "now").mockReturnValue(later);
  expect(await store.lease?.("sweep", "dead", hour)).toBe(true);
  clock.mockRestore();
  expect(await store.lease?.("sweep", "b", hour)).toBe(true);
});

test.for(["'soon'", "x'ff'", "-1"])("a row whose time is %s holds a task for nobody", async (time) => {
  await store.lease?.("sweep", "dead", hour);
  database.exec(`UPDATE catnap_lease SET until = ${time}`);
  expect(await store.lease?.("sweep", "b", hour)).toBe(true);
});
