import { mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { sqliteStore } from "./sqlite-store.ts";
import { SqliteWatch } from "./watch.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function twoStores() {
  const folder = mkdtempSync(join(tmpdir(), "catnap-watch-"));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "sessions.db");
  const stores = [sqliteStore(path), sqliteStore(path)] as const;
  for (const store of stores) cleanups.push(() => store.close());
  return [...stores, path] as const;
}

const alice = "alice-0000000000000000";
const now = 1_000_000;
const base = { now, accessedAt: now, transactions: 1, expect: new Map<string, number>() };
const birth = { ...base, create: { createdAt: now, endsAt: now + 1e9 }, timeoutMs: 1e8, changes: new Map() };
const change = (value: string) => ({ ...base, changes: new Map([["a", { value, writer: "server", seq: 0 }]]) });

test("a commit of another process is told within a second, and so is the end of the session", async () => {
  const [here, there] = twoStores();
  const heard: number[] = [];
  await here.write(alice, birth);
  here.watch?.(alice, (rev) => heard.push(rev));
  await there.write(alice, change("1"));
  await expect.poll(() => heard.at(-1), { timeout: 1000 }).toBe(2);
  await there.write(alice, change("2"));
  await there.write(alice, change("3"));
  await expect.poll(() => heard.at(-1), { timeout: 1000 }).toBe(4);
  await there.delete(alice);
  await expect.poll(() => heard.at(-1), { timeout: 1000 }).toBe(0);
});

test("what another process commits between the watch and the first look is told as well", async () => {
  const [here, there] = twoStores();
  await there.write(alice, birth);
  await here.read(alice);
  const heard: number[] = [];
  here.watch?.(alice, (rev) => heard.push(rev));
  await there.write(alice, change("1"));
  await expect.poll(() => heard.at(-1), { timeout: 1000 }).toBe(2);
});

test("a listener that throws harms neither the writer nor its neighbours", async () => {
  const [here] = twoStores();
  await here.write(alice, birth);
  const uncaught: unknown[] = [];
  const others = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", (error) => uncaught.push(error));
  try {
    const heard: number[] = [];
    here.watch?.(alice, () => {
      throw new Error("a listener's own");
    });
    here.watch?.(alice, (rev) => heard.push(rev));
    expect(await here.write(alice, change("1"))).toEqual({ ok: true, rev: 2 });
    await expect.poll(() => heard).toContain(2);
    expect(uncaught).not.toEqual([]);
  } finally {
    process.removeAllListeners("uncaughtException");
    for (const other of others) process.on("uncaughtException", other);
  }
});

test("what a look that failed has not seen, the next one tells", () => {
  const watch = new SqliteWatch(async () => undefined);
  const heard: number[] = [];
  watch.add(alice, (rev) => heard.push(rev));
  const sick = {
    version: () => 1,
    revisions: () => {
      throw new Error("the disk");
    },
  };
  expect(() => watch.look(sick)).toThrow("the disk");
  const told = vi.spyOn(watch, "tell");
  watch.look({ version: () => 1, revisions: () => new Map([[alice, 5]]) });
  expect(told).toHaveBeenCalledWith(alice, 5);
  watch.stop();
});

test("that live updates pause is said once, however many looks fail", async () => {
  const warned = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  cleanups.push(() => warned.mockRestore());
  let looks = 0;
  const watch = new SqliteWatch(async () => {
    looks++;
    throw new Error("the disk");
  });
  const leave = watch.add(alice, () => undefined);
  await expect.poll(() => looks, { timeout: 5000 }).toBeGreaterThan(2);
  leave();
  expect(warned.mock.calls).toEqual([["catnap: live updates from other processes pause: the disk"]]);
});

test("that live updates pause is said with the reason, and again after they went on", async () => {
  const warned = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  cleanups.push(() => warned.mockRestore());
  const [here, there, path] = twoStores();
  await here.write(alice, birth);
  await there.read(alice);
  const heard: number[] = [];
  here.watch?.(alice, (rev) => heard.push(rev));
  for (const round of [1, 2]) {
    renameSync(path, `${path}.aside`);
    await expect.poll(() => warned.mock.calls).toHaveLength(round);
    renameSync(`${path}.aside`, path);
    await expect.poll(() => there.write(alice, change(String(round))).catch(() => null)).not.toBeNull();
    await expect.poll(() => heard.at(-1)).toBe(round + 1);
  }
  const line = `catnap: live updates from other processes pause: ${basename(path)} is gone, somebody has moved or removed it: put it back`;
  expect(warned.mock.calls).toEqual([[expect.stringContaining(line)], [expect.stringContaining(line)]]);
});

test("a closed store is watched no more, and says nothing", async () => {
  const warned = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  cleanups.push(() => warned.mockRestore());
  const [here] = twoStores();
  here.watch?.(alice, () => undefined);
  await here.close();
  expect(() => here.watch?.(alice, () => undefined)).toThrow(expect.objectContaining({ code: "STORE_UNAVAILABLE" }));
  expect(warned).not.toHaveBeenCalled();
});
