import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Commit, SessionStore } from "../store.ts";
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

describe.skipIf(process.platform === "win32")("of the files that the store makes", () => {
  const modes = () =>
    readdirSync(folder).map((name) => [name, (statSync(join(folder, name)).mode & 0o777).toString(8)]);
  const ours = ["sessions.db", "sessions.db-shm", "sessions.db-wal"].map((name) => [name, "600"]);
  let before = 0;
  beforeEach(() => {
    before = process.umask(0o022);
  });
  afterEach(() => void process.umask(before));

  test("none is for anybody else, whatever the umask", async () => {
    process.umask(0);
    await open().write(alice, setting("1", true));
    expect(modes()).toEqual(ours);
  });

  test("none is for anybody else, however the path is written", async () => {
    await open(`file:${path.replace("sessions", "%73essions")}?cache=private`).write(alice, setting("1", true));
    expect(modes()).toEqual(ours);
  });

  test("the target of a link is for nobody else, where the link led to nothing", async () => {
    const link = join(folder, "link");
    symlinkSync("sessions.db", link);
    await open(link).write(alice, setting("1", true));
    expect(modes().filter(([name]) => name !== "link")).toEqual(ours);
  });

  test("a file that was there keeps its mode, and those beside it have the same", async () => {
    writeFileSync(path, "");
    chmodSync(path, 0o640);
    await open().write(alice, setting("1", true));
    expect(modes()).toEqual(ours.map(([name]) => [name, "640"]));
  });
});

describe("as before", () => {
  test.for([":memory:", "file::memory:", "file:anything?mode=memory"])("%s is in memory alone", async (address) => {
    const at = process.cwd();
    process.chdir(folder);
    try {
      const store = open(address);
      await store.write(alice, setting("1", true));
      expect(await valueIn(store)).toBe("1");
      expect(readdirSync(folder)).toEqual([]);
      await expect(store.lease?.("sweep", "a", 1000)).resolves.toBe(true);
    } finally {
      process.chdir(at);
    }
  });

  test("a file is not made where the address says that it must be there", async () => {
    await expect(open(`file:${path}?mode=rw`).read(alice)).rejects.toMatchObject({ code: "STORE_UNUSABLE" });
    expect(readdirSync(folder)).toEqual([]);
  });

  test.for(["file:%ff", "file:%zz"])("%s is what SQLite makes of it", async (address) => {
    const at = process.cwd();
    process.chdir(folder);
    try {
      const store = open(address);
      await store.write(alice, setting("1", true));
      expect(await valueIn(store)).toBe("1");
    } finally {
      process.chdir(at);
    }
  });
});
