import { IDBDatabase } from "fake-indexeddb";
import { expect, test, vi } from "vitest";
import { refuse, useless } from "../../test/disks.ts";
import { type Browser, open, until } from "../../test/world.ts";
import { Table } from "./table.ts";

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

/** Ten tabs that could send nothing die one after the other, and another sends what is theirs. */
async function tenDead() {
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
  return last;
}

test("a tab sends what ten dead ones have left, and shows each change once", async () => {
  const last = await tenDead();
  await last.session.awake();
  expect([last.session.value("visits"), last.session.status().pending]).toEqual([10, 0]);
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

test("the first snapshot on disk has the sum of its values, which the next page need not work out", async () => {
  const { browser } = open();
  const { session } = browser.tab();
  session.setValue("note", "x");
  await session.awake();
  await session.sleep();
  await until(async () => (await browser.rows()).has("cache"));
  expect((await browser.rows()).get("cache")).toMatchObject({ sum: expect.any(Number) });
});

test.each(Object.entries(useless))(
  "with a disk that is %s the session works from memory and says so",
  async (kind, indexedDB) => {
    const { browser } = open();
    const { session } = browser.tab({ surroundings: { indexedDB: indexedDB() } });
    const began = Date.now();
    await session.awake();
    session.setValue("note", "x");
    await session.sleep();
    expect(Date.now() - began).toBeLessThan(kind === "hanging" ? 5000 : 1000);
    expect((await browser.server()).entries).toMatchObject({ note: { value: '"x"' } });
    await until(() => session.status().storage === "memory");
  },
);

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

/** Answers the first request when the test says so, and those after it as `next` does. */
function answeringLate(browser: Browser, next: (name: string) => unknown) {
  const late = {
    answer: () => {},
    asked: 0,
    factory: {
      open(name: string) {
        if (late.asked++ > 0) return next(name);
        const request: Partial<Record<string, unknown>> & { onsuccess?: () => void; onupgradeneeded?: () => void } = {};
        late.answer = () => {
          const real = browser.indexedDB.open(name);
          const forward = (event: "onsuccess" | "onupgradeneeded") => () => {
            request.result = real.result;
            request[event]?.();
          };
          real.onupgradeneeded = forward("onupgradeneeded");
          real.onsuccess = forward("onsuccess");
        };
        return request;
      },
    } as never,
  };
  return late;
}

test("a database that throws when it is asked again fails whoever waits, and nobody else", async () => {
  const { browser } = open();
  const denied = () => {
    throw new DOMException("denied", "SecurityError");
  };
  const disk = new Table(answeringLate(browser, denied).factory, `catnap:${browser.name}`, () => {});
  await expect(disk.read()).rejects.toThrow("denied");
  expect(disk.storage).toBe("memory");
});

test("a database that opens after the end takes what waited, and is closed", async () => {
  const { browser } = open();
  const late = answeringLate(browser, () => ({}));
  const disk = new Table(late.factory, `catnap:${browser.name}`, () => {});
  const written = disk.write([["a", 1]], []);
  disk.close();
  late.answer();
  await written;
  expect((await browser.rows()).get("a")).toBe(1);
  // An open connection without a listener would block this for ever.
  await new Promise<void>((resolve) => {
    browser.indexedDB.deleteDatabase(`catnap:${browser.name}`).onsuccess = () => resolve();
  });
});

test("an answer to an opening that was given up does not end the patience with the next", async () => {
  const { browser } = open();
  const late = answeringLate(browser, (name) => (late.asked === 2 ? {} : browser.indexedDB.open(name)));
  const disk = new Table(late.factory, `catnap:${browser.name}`, () => {});
  void disk.read().catch(() => undefined);
  disk.close();
  const second = disk.read();
  late.answer();
  expect(await second).toEqual([]);
  disk.close();
});

test("a full disk makes it memory; when there is room again, everything unsent is written", async () => {
  const { world, browser } = open();
  const { session } = browser.tab();
  await session.awake();
  world.fate = () => "lost";
  const restore = refuse("put");
  session.setValue("note", "x");
  await until(() => session.status().storage === "memory");
  expect(session.value("note")).toBe("x");
  restore();
  session.setValue("theme", "dark");
  await until(() => session.status().storage === "disk");
  expect(await opRows(browser)).toHaveLength(2);
});

test("a connection that was lost without an event is opened anew, once", async () => {
  const { browser } = open();
  const disk = new Table(browser.indexedDB, `catnap:${browser.name}`, () => {});
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

test("so is one that breaks under a change, which is made then", async () => {
  const { browser } = open();
  const disk = new Table(browser.indexedDB, `catnap:${browser.name}`, () => {});
  await disk.read();
  const { transaction } = IDBDatabase.prototype;
  IDBDatabase.prototype.transaction = () => {
    IDBDatabase.prototype.transaction = transaction;
    const broken = { error: null as DOMException | null, onerror() {}, onabort() {} };
    setTimeout(() => {
      // A request's failure bubbles, before the transaction has one of its own.
      broken.onerror();
      broken.error = new DOMException("lost", "UnknownError");
      broken.onabort();
    });
    return { objectStore: () => ({ transaction: broken, put: () => ({}) }) } as never;
  };
  await disk.write([["a", 1]], []);
  expect([disk.storage, (await browser.rows()).get("a")]).toEqual(["disk", 1]);
  disk.close();
});

test("while a transaction hangs the tab works from memory, and says so", async () => {
  const { browser } = open();
  const { session } = browser.tab();
  await session.awake();
  const { transaction } = IDBDatabase.prototype;
  IDBDatabase.prototype.transaction = () => {
    const hanging = { put: () => ({}), get: () => ({}), delete: () => ({}), transaction: {} };
    return { objectStore: () => hanging } as never;
  };
  try {
    session.setValue("note", "x");
    await until(() => session.status().storage === "memory");
  } finally {
    IDBDatabase.prototype.transaction = transaction;
  }
  await session.awake();
  expect(session.status().storage).toBe("disk");
});

test("another tab may delete the database while this one has it open", async () => {
  const { browser } = open();
  const { session } = browser.tab();
  await session.awake();
  await new Promise<void>((resolve, reject) => {
    const request = browser.indexedDB.deleteDatabase(`catnap:${browser.name}`);
    request.onsuccess = () => resolve();
    request.onblocked = () => reject(new Error("blocked"));
  });
  session.setValue("note", "x");
  await until(async () => (await opRows(browser)).length === 1);
});

test("a row that is damaged hides no other, and the console names it", async () => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const { world, browser } = open();
  const first = browser.tab();
  await first.session.awake();
  world.fate = () => "lost";
  first.session.setValue("note", "unsent");
  await until(async () => (await opRows(browser)).length === 1);
  first.kill();
  await browser.put(
    new Map<string, unknown>([
      ["op:damaged:1", null],
      ["cache", "nonsense"],
      ["head", 7],
    ]),
  );
  const { session } = browser.tab();
  await session.awake();
  expect([session.value("note"), session.status().storage]).toEqual(["unsent", "disk"]);
  expect(warn.mock.calls.flat().join()).toContain("op:damaged:1");
  warn.mockRestore();
});

test("a database of the same name that is another library's is left alone", async () => {
  const { browser } = open();
  await new Promise((resolve) => {
    const request = browser.indexedDB.open(browser.name, 7);
    request.onupgradeneeded = () => void request.result.createObjectStore("theirs");
    request.onsuccess = resolve;
  });
  const { session } = browser.tab();
  session.setValue("note", "x");
  await until(async () => (await opRows(browser)).length === 1);
  expect(session.status().storage).toBe("disk");
});

test("a channel that refuses a message stops nothing", async () => {
  const { browser } = open();
  const refuse = () => {
    throw new DOMException("closed", "InvalidStateError");
  };
  const channel = () => ({ onmessage: null, postMessage: refuse, close: () => undefined });
  const { session } = browser.tab({ surroundings: { channel } });
  await session.awake();
  session.setValue("note", "x");
  await session.sleep();
  expect((await browser.server()).entries).toMatchObject({ note: { value: '"x"' } });
});

test("a damaged row keeps no logout from deleting, and is deleted with the rest", async () => {
  vi.spyOn(console, "warn").mockReturnValue();
  const { browser } = open();
  const { session } = browser.tab();
  session.setValue("note", "private-note");
  await session.awake();
  await session.sleep();
  await browser.put(new Map<string, unknown>([["op:damaged:1", null]]));
  await session.invalidate();
  await until(async () => (await browser.rows()).size === 0);
  vi.restoreAllMocks();
});

test("a damaged row is told once, since it is deleted", async () => {
  const warn = vi.spyOn(console, "warn").mockReturnValue();
  const { browser } = open();
  const first = browser.tab();
  await first.session.awake();
  await browser.put(new Map<string, unknown>([["op:damaged:1", null]]));
  await first.session.awake();
  await until(async () => (await browser.rows()).size === 0);
  await first.session.awake();
  expect(warn).toHaveBeenCalledOnce();
  warn.mockRestore();
});
