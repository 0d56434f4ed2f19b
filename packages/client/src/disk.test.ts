import { defineSession } from "@catnap/shared";
import { IDBDatabase, IDBObjectStore } from "fake-indexeddb";
import { afterEach, expect, test } from "vitest";
import { z } from "zod";
import { type Browser, createWorld, shop, until } from "../test/world.ts";
import { Disk } from "./disk.ts";

const browsers: Browser[] = [];
const open = () => {
  const world = createWorld();
  const browser = world.browser();
  browsers.push(browser);
  return { world, browser };
};
afterEach(() => {
  for (const browser of browsers.splice(0)) browser.closeAll();
});

const opRows = async (browser: Browser) => [...(await browser.rows()).keys()].filter((name) => name.startsWith("op:"));

test("a write before awake is kept and leaves what the disk holds under other keys", async () => {
  const { world, browser } = open();
  const a = browser.tab();
  a.session.setValue("theme", "dark");
  a.session.update("visits", (n) => n + 5);
  await a.session.awake();
  await a.session.sleep();
  a.kill();
  world.fate = () => "lost";
  const b = browser.tab();
  b.session.setValue("note", "early");
  b.session.update("visits", (n) => n + 1);
  await b.session.awake();
  expect(b.session.value("theme")).toBe("dark");
  expect(b.session.value("note")).toBe("early");
  expect(b.session.value("visits")).toBe(6);
  world.fate = () => "ok";
  await b.session.sleep();
  expect((await browser.server()).entries).toMatchObject({ theme: { value: '"dark"' }, visits: { value: "6" } });
});

test("a write is on disk one microtask later, without awake", async () => {
  const { world, browser } = open();
  world.fate = () => "lost";
  const { session } = browser.tab();
  session.setValue("note", "x");
  await until(async () => (await opRows(browser)).length === 1);
  expect(world.requests).toHaveLength(0);
});

test("a dead tab's outbox goes home under its own name, once", async () => {
  const { world, browser } = open();
  const a = browser.tab();
  await a.session.awake();
  a.session.setValue("note", "from the dead");
  await a.session.sleep();
  a.session.update("visits", (n) => n + 1);
  await Promise.resolve();
  world.fate = () => "answer lost";
  await expect(a.session.sleep()).rejects.toMatchObject({ code: "UNREACHABLE" });
  a.session.update("visits", (n) => n + 1);
  await until(async () => (await opRows(browser)).length === 2);
  a.kill();
  world.fate = () => "ok";
  const b = browser.tab();
  await b.session.awake();
  expect(b.session.value("visits")).toBe(2);
  expect((await browser.server()).entries).toMatchObject({ visits: { value: "2" } });
  await until(async () => (await opRows(browser)).length === 0);
  expect(b.session.status()).toMatchObject({ state: "synced", pending: 0 });
});

test("the watermarks of the last dead tabs are kept, in case they were frozen, and those of older ones are retired", async () => {
  const { world, browser } = open();
  for (let i = 0; i < 10; i++) {
    const tab = browser.tab();
    await tab.session.awake();
    world.fate = () => "lost";
    tab.session.update("visits", (n) => n + 1);
    await until(async () => (await opRows(browser)).length === i + 1);
    tab.kill();
  }
  world.fate = () => "ok";
  const last = browser.tab();
  await last.session.awake();
  expect(last.session.value("visits")).toBe(10);
  const [oldest, older, ...kept] =
    /"retire":\["([\w-]+)","([\w-]+)"\]/.exec(world.requests.at(-1)?.body ?? "")?.slice(1) ?? [];
  expect([oldest, older, kept]).toEqual([expect.any(String), expect.any(String), []]);
});

test("ops whose effect is in the page's snapshot, though nobody acknowledged them, are not shown on top of it", async () => {
  const { world, browser } = open();
  const a = browser.tab();
  await a.session.awake();
  a.session.update("visits", (n) => n + 1);
  await a.session.sleep();
  a.session.update("visits", (n) => n + 1);
  world.fate = () => "answer lost"; // the last push of a closing tab
  await expect(a.session.sleep()).rejects.toMatchObject({ code: "UNREACHABLE" });
  await until(async () => (await opRows(browser)).length === 1);
  a.kill();
  world.fate = () => "lost";
  const b = browser.tab({ initialSnapshot: await browser.server() });
  const seen: unknown[] = [b.session.value("visits")];
  b.session.subscribe("visits", () => seen.push(b.session.value("visits")));
  await b.session.awake();
  expect(seen).toEqual([2]);
});

test("rows of keys that the browser may no longer write are dropped, with a note", async () => {
  const { world, browser } = open();
  const a = browser.tab();
  await a.session.awake();
  world.fate = () => "lost";
  a.session.setValue("note", "x");
  await until(async () => (await opRows(browser)).length === 1);
  a.kill();
  world.fate = () => "ok";
  const keys = new Map([...shop.keys].filter(([name]) => name !== "note"));
  const b = browser.tab({ definition: { ...shop, keys, fingerprint: "another" } });
  await b.session.awake();
  expect(b.conflicts).toEqual([expect.objectContaining({ key: "note", what: "rejected" })]);
  await until(async () => (await opRows(browser)).length === 0);
});

test("a cache made under another definition is fetched anew", async () => {
  const { world, browser } = open();
  const a = browser.tab();
  a.session.setValue("note", "x");
  await a.session.awake();
  await a.session.sleep();
  a.kill();
  const b = browser.tab({ definition: { ...shop, fingerprint: "another" } });
  await b.session.awake();
  expect(b.session.value("note")).toBe("x");
  expect(world.requests.at(-1)?.body).toContain('"since":0');
});

/** The shop of a later version of the app: notes are objects now. */
function nextShop() {
  const { keys } = defineSession({ shared: { note: z.object({ text: z.string() }) } });
  return { ...shop, keys: new Map([...shop.keys, ...keys]), fingerprint: "next" };
}

/** What a page of the last version has left behind: one value that the server has, one change that it has not. */
async function leaveBehind(world: ReturnType<typeof createWorld>, browser: Browser) {
  const a = browser.tab();
  a.session.setValue("note", "kept");
  a.session.setValue("theme", "dark");
  await a.session.awake();
  await a.session.sleep();
  world.fate = () => "lost";
  a.session.setValue("note", "unsent");
  await until(async () => (await opRows(browser)).length === 1);
  a.kill();
}

test("what an older version of the app left on disk is migrated, shown, and sent as today's", async () => {
  const { world, browser } = open();
  await leaveBehind(world, browser);
  const migrate = (_key: string, value: unknown) => ({ text: value });
  const b = browser.tab({ definition: nextShop(), migrate });
  await b.session.awake();
  // Offline still: all of it comes from the disk.
  expect(b.session.values()).toMatchObject({ note: { text: "unsent" }, theme: "dark" });
  expect(b.conflicts).toEqual([]);
  expect(world.requests.at(-1)?.body).toContain(JSON.stringify(JSON.stringify({ text: "unsent" })).slice(1, -1));
});

test("what cannot be migrated is dropped with an event that hands it over, and never sent", async () => {
  const { world, browser } = open();
  await leaveBehind(world, browser);
  const b = browser.tab({ definition: nextShop(), migrate: () => undefined });
  await b.session.awake();
  expect(b.session.values()).toEqual({ theme: "dark" });
  expect(b.conflicts).toEqual([{ key: "note", what: "rejected", code: "INVALID_VALUE", mine: "unsent" }]);
  await until(async () => (await opRows(browser)).length === 0);
  world.fate = () => "ok";
  await b.session.awake();
  expect(world.requests.at(-1)?.body).toContain('"ops":[]');
});

test("what the server or a sibling holds of another version of the app is migrated or not shown", async () => {
  const { browser } = open();
  const a = browser.tab();
  a.session.setValue("note", "kept");
  a.session.setValue("theme", "dark");
  await a.session.awake();
  await a.session.sleep();
  const { fingerprint } = shop;
  const definition = { ...nextShop(), fingerprint };
  for (const [migrate, mended] of [
    [(_key: string, value: unknown) => ({ text: value }), (text: string) => ({ note: { text } })],
    [() => undefined, () => ({})],
  ] as const) {
    const { session } = browser.tab({ definition, migrate });
    // From the disk, then from the server.
    await session.awake();
    expect(session.values()).toEqual({ theme: "dark", ...mended("kept") });
    expect(session.values()).toEqual({ theme: "dark", ...mended("kept") });
    let calls = 0;
    session.subscribe("note", () => calls++);
    a.session.setValue("note", "told");
    await until(() => calls === 1);
    expect(session.values()).toEqual({ theme: "dark", ...mended("told") });
    expect(session.hasValue("note")).toBe("note" in mended("told"));
    a.session.setValue("note", "kept");
    await a.session.sleep();
    await session.awake();
  }
});

test("a tab of an older version leaves the changes of a newer one that it cannot read to it", async () => {
  const { world, browser } = open();
  const older = browser.tab();
  older.session.setValue("theme", "dark");
  await older.session.awake();
  await older.session.sleep();
  world.fate = () => "lost";
  const newer = browser.tab({ definition: nextShop() });
  await newer.session.awake();
  (newer.session as unknown as { setValue(name: string, value: unknown): void }).setValue("note", { text: "mine" });
  await until(async () => (await opRows(browser)).length === 1);
  const before = JSON.stringify(await opRows(browser));
  older.page.hide();
  older.page.fire("pageshow");
  await older.session.awake();
  expect(older.conflicts).toEqual([]);
  expect(JSON.stringify(await opRows(browser))).toBe(before);
  expect(world.requests.filter(({ body }) => body.includes("mine") && body.includes("older"))).toEqual([]);
});

const broken: Record<string, (browser: Browser) => IDBFactory | undefined> = {
  missing: () => undefined,
  refused: () =>
    ({
      open: () => {
        throw new DOMException("denied", "SecurityError");
      },
    }) as never,
  failing: () =>
    ({
      open() {
        const request = { onerror: () => {}, error: new DOMException("no", "UnknownError") };
        setTimeout(() => request.onerror());
        return request;
      },
    }) as never,
  hanging: () => ({ open: () => ({}) }) as never,
};
test.each(Object.keys(broken))("with a disk that is %s the session works from memory and says so", async (kind) => {
  const { browser } = open();
  const { session } = browser.tab({ surroundings: { indexedDB: broken[kind]?.(browser) } });
  const began = Date.now();
  await session.awake();
  session.setValue("note", "x");
  await session.sleep();
  expect(Date.now() - began).toBeLessThan(kind === "hanging" ? 8000 : 1000);
  expect((await browser.server()).entries).toMatchObject({ note: { value: '"x"' } });
  expect(session.status().storage).toBe("memory");
});

test("a database that never answers the first request is asked again, and keeps what waited", async () => {
  const { world, browser } = open();
  world.fate = () => "lost";
  let asked = 0;
  const indexedDB = { open: (name: string) => (asked++ === 0 ? {} : browser.indexedDB.open(name)) } as never;
  const { session } = browser.tab({ surroundings: { indexedDB } });
  const storage: string[] = [];
  session.subscribeStatus(() => storage.push(session.status().storage));
  session.setValue("note", "x");
  await until(() => session.status().storage === "disk");
  expect(storage).toContain("memory");
  expect(asked).toBe(2);
  await until(async () => (await opRows(browser)).length === 1);
});

test("a full disk makes it memory; when there is room again, everything unsent is written", async () => {
  const { world, browser } = open();
  const { session } = browser.tab();
  await session.awake();
  world.fate = () => "lost";
  const { put } = IDBObjectStore.prototype;
  IDBObjectStore.prototype.put = () => {
    throw new DOMException("full", "QuotaExceededError");
  };
  try {
    session.setValue("note", "x");
    await until(() => session.status().storage === "memory");
    expect(session.value("note")).toBe("x");
  } finally {
    IDBObjectStore.prototype.put = put;
  }
  session.setValue("theme", "dark");
  await until(() => session.status().storage === "disk");
  expect(await opRows(browser)).toHaveLength(2);
});

test("a connection that was lost without an event is opened anew, once", async () => {
  const { browser } = open();
  const disk = new Disk(browser.indexedDB, browser.name, () => {});
  await disk.write([["a", 1]], []);
  const { transaction } = IDBDatabase.prototype;
  let failures = 0;
  IDBDatabase.prototype.transaction = function (...args) {
    if (failures++ === 0) throw new DOMException("closing", "InvalidStateError");
    return transaction.apply(this, args);
  };
  try {
    expect(await disk.read()).toEqual([["a", 1]]);
  } finally {
    IDBDatabase.prototype.transaction = transaction;
  }
  disk.close();
});

test("another tab may delete the database while this one has it open", async () => {
  const { browser } = open();
  const { session } = browser.tab();
  await session.awake();
  await new Promise<void>((resolve, reject) => {
    const request = browser.indexedDB.deleteDatabase(browser.name);
    request.onsuccess = () => resolve();
    request.onblocked = () => reject(new Error("blocked"));
  });
  session.setValue("note", "x");
  await until(async () => (await opRows(browser)).length === 1);
});
