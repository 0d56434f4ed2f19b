import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { openFile } from "../../../test/sqlite-file.ts";
import { EntryCache } from "../entry-cache.ts";
import type { Commit, SessionRecord, SessionStore } from "../store.ts";
import { sqliteStore } from "./sqlite-store.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function file(): string {
  const folder = mkdtempSync(join(tmpdir(), "catnap-cache-"));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "sessions.db");
}

function open(path: string, cacheBytes?: number): SessionStore {
  const store = sqliteStore(path, cacheBytes === undefined ? {} : { cacheBytes });
  cleanups.push(() => store.close());
  return store;
}

const now = 1_000_000;
const alice = "alice-0000000000000000";

function commit(values: Record<string, string | undefined>, create = false): Commit {
  return {
    now,
    ...(create ? { create: { createdAt: now, endsAt: now + 10_000_000 }, timeoutMs: 5_000_000 } : {}),
    accessedAt: now,
    transactions: 1,
    expect: new Map(),
    changes: new Map(Object.entries(values).map(([name, value]) => [name, { value, writer: "server", seq: 0 }])),
  };
}

const valuesOf = async (store: SessionStore) =>
  Object.fromEntries([...((await store.read(alice))?.entries ?? [])].map(([name, { value }]) => [name, value]));

test("a commit of another process is seen by the next read, whatever was cached", async () => {
  const path = file();
  const [one, two] = [open(path), open(path)];
  await one.write(alice, commit({ a: "1" }, true));
  expect([await valuesOf(one), await valuesOf(two)]).toEqual([{ a: "1" }, { a: "1" }]);
  await two.write(alice, commit({ a: "2" }));
  expect(await valuesOf(one)).toEqual({ a: "2" });
  // And one that comes between a read and a write of this process.
  await two.write(alice, commit({ b: "3" }));
  await one.write(alice, commit({ c: "4" }));
  expect(await valuesOf(one)).toEqual({ a: "2", b: "3", c: "4" });
});

test("a file that was restored in place shows its own entries, though the revision is the same again", async () => {
  const path = file();
  const store = open(path);
  await store.write(alice, commit({ a: "before" }, true));
  const backup = await openFile(path);
  cleanups.push(() => backup.close());
  backup.exec("CREATE TABLE s AS SELECT * FROM catnap_session; CREATE TABLE e AS SELECT * FROM catnap_entry");
  await store.write(alice, commit({ a: "lost" }));
  expect(await valuesOf(store)).toEqual({ a: "lost" });
  backup.exec("DELETE FROM catnap_session; INSERT INTO catnap_session SELECT * FROM s");
  backup.exec("DELETE FROM catnap_entry; INSERT INTO catnap_entry SELECT * FROM e");
  const other = open(path);
  await other.write(alice, commit({ b: "after" }));
  const record = await store.read(alice);
  expect([record?.rev, await valuesOf(store)]).toEqual([2, { a: "before", b: "after" }]);
});

test("a commit that is refused leaves what is cached as it was", async () => {
  const store = open(file());
  await store.write(alice, commit({ a: "1" }, true));
  const before = await store.read(alice);
  const refused = await store.write(alice, { ...commit({ a: "2", b: "2" }), expect: new Map([["a", 9]]) });
  expect(refused.ok).toBe(false);
  expect(await store.read(alice)).toEqual(before);
});

test("a record that was handed out stays as it was when the session goes on", async () => {
  const store = open(file());
  await store.write(alice, commit({ a: "1" }, true));
  const before = await store.read(alice);
  await store.write(alice, commit({ a: "2" }));
  expect(before?.entries.get("a")?.value).toBe("1");
});

test("two stores with a cache on one file never show anything else than one without", async () => {
  const action = fc.record({
    store: fc.nat(1),
    kind: fc.constantFrom("set", "set", "set", "two", "remove", "refuse", "read", "delete"),
    key: fc.constantFrom("a", "b", "c"),
    value: fc.string({ maxLength: 8 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 40 }), async (actions) => {
      const path = file();
      const [plain, ...cached] = [open(path, 0), open(path), open(path, 900)] as const;
      for (const { store, kind, key, value } of actions) {
        const one = cached[store] as SessionStore;
        if ((await plain.read(alice)) === null) await one.write(alice, commit({ [key]: value }, true));
        else if (kind === "set") await one.write(alice, commit({ [key]: value }));
        else if (kind === "two") await one.write(alice, commit({ [key]: value, z: value }));
        else if (kind === "remove") await one.write(alice, commit({ [key]: undefined, z: "" }));
        else if (kind === "refuse")
          await one.write(alice, { ...commit({ [key]: value }), expect: new Map([["q", 1]]) });
        else if (kind === "delete") await one.delete(alice);
        // One that does not read after every step keeps what it had, and must notice.
        if (kind === "read") expect(await one.read(alice)).toEqual(await plain.read(alice));
      }
      const [truth, ...shown] = await Promise.all([plain, ...cached].map((each) => each.read(alice)));
      for (const record of shown) expect(record).toEqual(truth);
    }),
    { numRuns: 60 },
  );
}, 60_000);

test("the cache keeps to its bytes, and drops what was not used for longest", () => {
  const cache = new EntryCache(4_800);
  const times = { createdAt: 0, endsAt: 9, accessedAt: 0, timeoutMs: 9, transactions: 1 };
  const recordOf = (length: number): SessionRecord => ({
    ...{ identifier: alice, rev: 1, ...times, subject: null, authenticatedAt: null },
    entries: new Map([["k", { value: "x".repeat(length), rev: 1, writer: "w", seq: 0 }]]),
  });
  for (const key of ["a", "b", "c", "d"]) cache.set(key, 1, recordOf(500));
  expect([..."abcd"].map((key) => cache.get(key) !== undefined)).toEqual([false, true, true, true]);
  cache.get("b");
  cache.set("e", 1, recordOf(500));
  expect([..."bcde"].map((key) => cache.get(key) !== undefined)).toEqual([true, false, true, true]);
  cache.set("huge", 1, recordOf(5_000));
  expect(cache.get("huge")).toBeUndefined();
  // A session that grows counts with what it has grown to.
  cache.advance("b", { stamp: 2, prior: 1, rev: 2 }, commit({ more: "x".repeat(1_500) }));
  expect([..."de"].filter((key) => cache.get(key) !== undefined).length).toBeLessThan(2);
});
