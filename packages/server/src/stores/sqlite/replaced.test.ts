import { chmodSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openFile } from "../../../test/sqlite-file.ts";
import type { Commit, SessionStore } from "../store.ts";
import { all } from "./driver.ts";
import { sqliteStore } from "./sqlite-store.ts";

const cleanups: (() => unknown)[] = [];
let folder = "";
let path = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "catnap-file-"));
  path = join(folder, "sessions.db");
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  rmSync(folder, { recursive: true, force: true });
});

function open(file = path): SessionStore {
  const store = sqliteStore(file);
  cleanups.push(() => store.close());
  return store;
}

const now = 1_000_000;
const alice = "alice-0000000000000000";
const base: Commit = { now, accessedAt: now, transactions: 1, expect: new Map(), changes: new Map() };
const setting = (value: string, create = false): Commit => ({
  ...base,
  ...(create ? { create: { createdAt: now, endsAt: now + 1e9 }, timeoutMs: 1e8 } : {}),
  changes: new Map([["a", { value, writer: "server", seq: 0 }]]),
});
const valueIn = async (store: SessionStore) => (await store.read(alice))?.entries.get("a")?.value;

/** A copy of the file as it is, made as SQLite wants it. */
async function backUp(name: string): Promise<string> {
  const copy = join(folder, name);
  const database = await openFile(path);
  database.exec(`VACUUM INTO '${copy}'`);
  database.close();
  return copy;
}

/** What SQLite thinks of the file, and what it holds, seen without the store. */
async function inside(file: string) {
  const database = await openFile(file);
  const [check] = all(database, "PRAGMA integrity_check");
  const values = all(database, "SELECT value FROM catnap_entry ORDER BY value").map((row) => row.value);
  database.close();
  return { check: check?.integrity_check, values };
}

describe("a file that is replaced while it is open", () => {
  test("is left for the one that came in its place, which stays whole", async () => {
    const store = open();
    await store.write(alice, setting("backed up", true));
    const backup = await backUp("backup.db");
    await store.write(alice, setting("later"));
    expect(await valueIn(store)).toBe("later");
    renameSync(backup, path);
    await expect.poll(() => valueIn(store)).toBe("backed up");
    expect(await store.write(alice, setting("afterwards"))).toEqual({ ok: true, rev: 2 });
    expect(await valueIn(open())).toBe("afterwards");
    expect(await inside(path)).toEqual({ check: "ok", values: ["afterwards"] });
    expect(readdirSync(folder).sort()).toEqual(["sessions.db", "sessions.db-shm", "sessions.db-wal"]);
  });

  test("is whole where it was moved to, and has what was committed last", async () => {
    const store = open();
    await store.write(alice, setting("backed up", true));
    const backup = await backUp("backup.db");
    await store.write(alice, setting("later"));
    const aside = join(folder, "aside.db");
    renameSync(path, aside);
    renameSync(backup, path);
    await expect.poll(() => valueIn(store)).toBe("backed up");
    expect(await inside(aside)).toEqual({ check: "ok", values: ["later"] });
  });

  test("is left by every process, and from then on they share the new one", async () => {
    const [one, two, three] = [open(), open(), open()];
    await one.write(alice, setting("backed up", true));
    const backup = await backUp("backup.db");
    await two.write(alice, setting("later"));
    expect(await valueIn(three)).toBe("later");
    renameSync(backup, path);
    await expect.poll(() => valueIn(one)).toBe("backed up");
    await one.write(alice, setting("afterwards"));
    for (const store of [one, two, three]) await expect.poll(() => valueIn(store)).toBe("afterwards");
    await three.write(alice, setting("at last"));
    expect([await valueIn(one), await valueIn(two)]).toEqual(["at last", "at last"]);
    expect(await inside(path)).toEqual({ check: "ok", values: ["at last"] });
  });

  test("is told of to those who watch, though the revision is the same", async () => {
    const store = open();
    const bob = "bob-000000000000000000";
    await store.write(alice, setting("backed up", true));
    const backup = await backUp("backup.db");
    await store.write(bob, setting("later", true));
    const heard: [string, number][] = [];
    for (const key of [alice, bob]) store.watch?.(key, (rev) => heard.push([key, rev]));
    await expect.poll(() => heard).toHaveLength(2);
    renameSync(backup, path);
    await expect
      .poll(() => heard.slice(2))
      .toEqual([
        [alice, 1],
        [bob, 0],
      ]);
  });

  test("leaves no log behind when the store closes before it has noticed", async () => {
    const store = sqliteStore(path);
    await store.write(alice, setting("backed up", true));
    const backup = await backUp("backup.db");
    for (let i = 0; i < 20; i++) await store.write(alice, setting("later".repeat(1000)));
    renameSync(backup, path);
    await store.close();
    expect(readdirSync(folder)).toEqual(["sessions.db"]);
    expect(await inside(path)).toEqual({ check: "ok", values: ["backed up"] });
  });

  test("is followed by one that cannot be used, by none, and by one that can", async () => {
    const store = open();
    await store.write(alice, setting("backed up", true));
    const backup = await backUp("backup.db");
    const refused = () => store.read(alice).catch((error: unknown) => error);
    writeFileSync(join(folder, "diary"), "Dear diary, ".repeat(1000));
    renameSync(join(folder, "diary"), path);
    await expect.poll(refused).toMatchObject({ code: "STORE_UNUSABLE" });
    rmSync(path);
    expect(await refused()).toMatchObject({ code: "STORE_UNAVAILABLE", message: expect.stringContaining("is gone") });
    expect(readdirSync(folder)).not.toContain("sessions.db");
    renameSync(backup, path);
    expect(await valueIn(store)).toBe("backed up");
  });
});

// Root may remove anything, and the folder is closed to nobody on Windows.
test.skipIf(process.getuid?.() === 0 || process.platform === "win32")(
  "a file that comes beside a log that cannot be removed is not opened before it is",
  async () => {
    const store = open();
    await store.write(alice, setting("backed up", true));
    const backup = await backUp("backup.db");
    await store.write(alice, setting("later"));
    renameSync(backup, path);
    chmodSync(folder, 0o500);
    const refused = () => store.read(alice).catch((error: unknown) => error);
    const refusal = { code: "STORE_UNUSABLE", message: expect.stringMatching(/sessions\.db-wal .* cannot be removed/) };
    await expect.poll(refused).toMatchObject(refusal);
    expect(await refused()).toMatchObject(refusal);
    chmodSync(folder, 0o700);
    expect(await valueIn(store)).toBe("backed up");
  },
);

describe("a file that is gone while it is open", () => {
  const refusal = {
    code: "STORE_UNAVAILABLE",
    message: expect.stringMatching(/sessions\.db is gone, .*: put it back, or/),
  };

  test("is not made again, and its store goes on when it is put back", async () => {
    const store = open();
    await store.write(alice, setting("1", true));
    const aside = join(folder, "aside.db");
    renameSync(path, aside);
    await expect.poll(() => store.read(alice).catch((error: unknown) => error)).toMatchObject(refusal);
    await expect(store.write(alice, setting("2"))).rejects.toMatchObject(refusal);
    expect(readdirSync(folder)).not.toContain("sessions.db");
    renameSync(aside, path);
    await expect.poll(() => store.write(alice, setting("2")).catch(() => null)).toEqual({ ok: true, rev: 2 });
    expect(await valueIn(open())).toBe("2");
  });

  test("makes way for another", async () => {
    const store = open();
    await store.write(alice, setting("backed up", true));
    const backup = await backUp("backup.db");
    await store.write(alice, setting("later"));
    rmSync(path);
    await expect.poll(() => store.read(alice).catch((error: unknown) => error)).toMatchObject(refusal);
    renameSync(backup, path);
    await expect.poll(() => valueIn(store).catch(() => null)).toBe("backed up");
  });

  test("does not keep the store from closing", async () => {
    const store = open();
    await store.write(alice, setting("1", true));
    rmSync(folder, { recursive: true });
    await store.close();
    mkdirSync(folder);
  });
});

test("a relative path is the same file wherever the process goes", async () => {
  const at = process.cwd();
  process.chdir(folder);
  try {
    const store = open("sessions.db");
    await store.write(alice, setting("1", true));
    const backup = await backUp("backup.db");
    await store.write(alice, setting("2"));
    process.chdir(tmpdir());
    expect(await valueIn(store)).toBe("2");
    renameSync(backup, path);
    await expect.poll(() => valueIn(store)).toBe("1");
  } finally {
    process.chdir(at);
  }
});
