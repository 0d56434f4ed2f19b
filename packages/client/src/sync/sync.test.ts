import { defineSession, type Push, type Session } from "@catnap/shared";
import { IDBDatabase, IDBFactory } from "fake-indexeddb";
import superjson from "superjson";
import { expect, test } from "vitest";
import { z } from "zod";
import { type createWorld, type Fate, k, open, until } from "../../test/world.ts";
import type { ClientSession } from "../index.ts";

const pushes = (world: ReturnType<typeof createWorld>) =>
  world.requests.filter(({ path }) => path === "session.sync").map(({ body }) => superjson.parse<Push>(body));

test("a first write makes a session, and the next page shows it before the server is asked", async () => {
  const { world, browser } = open();
  const first = browser.tab();
  await first.session.awake();
  first.session.setValue("theme", "dark");
  await first.session.sleep();
  // A slow disk is still on its way to be opened.
  await until(() => first.session.status().storage === "disk");
  expect(first.session.status()).toEqual({ state: "synced", pending: 0, storage: "disk" });
  expect((await browser.server()).entries).toEqual({ theme: { value: '"dark"', rev: expect.any(Number) } });
  first.kill();

  world.fate = () => "lost";
  const second = browser.tab();
  await second.session.awake();
  expect(second.session.value("theme")).toBe("dark");
  expect(second.session.status().state).toBe("offline");
});

test("a Date arrives as a Date, and a deletion as an absence", async () => {
  const { browser } = open();
  const { session } = browser.tab();
  await session.awake();
  session.setValue("when", new Date(7));
  session.setValue("note", "x");
  await session.sleep();
  session.delValue("note");
  await session.sleep();
  const other = browser.tab({ name: "elsewhere" });
  await other.session.awake();
  expect(other.session.value("when")).toEqual(new Date(7));
  expect(other.session.hasValue("note")).toBe(false);
  expect(session.hasValue("note")).toBe(false);
});

test("a thousand values written in one task are one request and two transactions of the disk", async () => {
  const { world, browser } = open();
  const { session } = browser.tab();
  await session.awake();
  await until(() => session.status().storage === "disk");
  const before = world.requests.length;
  let transactions = 0;
  const { transaction } = IDBDatabase.prototype;
  IDBDatabase.prototype.transaction = function (...args) {
    transactions++;
    return transaction.apply(this, args);
  };
  try {
    for (let i = 0; i < 1000; i++) session.setValue(k(i), "v");
    await session.sleep();
    await until(async () => (await browser.rows()).size === 2);
  } finally {
    IDBDatabase.prototype.transaction = transaction;
  }
  expect(world.requests.length - before).toBe(1);
  const looks = 1; // `rows` itself, at least once
  expect(transactions - looks).toBeLessThanOrEqual(2);
  expect(Object.keys((await browser.server()).entries)).toHaveLength(1000);
});

test("a deletion reaches the session that a first push has begun, though its answer was lost", async () => {
  const { world, browser } = open();
  const { session } = browser.tab();
  await session.awake();
  world.fate = () => "answer lost";
  session.setValue("note", "x");
  await expect(session.sleep()).rejects.toMatchObject({ code: "UNREACHABLE" });
  world.fate = () => "ok";
  session.delValue("note");
  await session.sleep();
  session.setValue("theme", "dark");
  await session.sleep();
  expect(session.values()).toEqual({ theme: "dark" });
  expect((await browser.server()).entries).toEqual({ theme: { value: '"dark"', rev: expect.any(Number) } });
});

test("sleep waits for the acknowledgement also where the disk has given the change another number", async () => {
  const { browser } = open();
  const first = browser.tab();
  first.session.setValue("theme", "dark");
  await first.session.sleep();
  // It knows neither the session, which it learns with the answer to its first push, nor the numbers given so far.
  const { session } = browser.tab({ surroundings: { indexedDB: new IDBFactory() } });
  session.setValue("note", "x");
  await session.sleep();
  expect(session.status()).toMatchObject({ state: "asleep", pending: 0 });
  expect((await browser.server()).entries).toHaveProperty("note");
});

test.each<Fate>(["lost", "answer lost"])("a counter counts each change once when its push is: %s", async (fate) => {
  const { world, browser } = open();
  const { session } = browser.tab();
  await session.awake();
  session.update("visits", (n) => n + 1);
  world.fate = () => fate;
  await expect(session.sleep()).rejects.toMatchObject({ code: "UNREACHABLE" });
  session.update("visits", (n) => n + 1);
  session.update("visits", (n) => n + 1);
  await expect(session.sleep()).rejects.toMatchObject({ code: "UNREACHABLE" });
  expect(session.status()).toMatchObject({ state: "offline", pending: 2 });
  world.fate = () => "ok";
  await session.sleep();
  expect(session.value("visits")).toBe(3);
  expect((await browser.server()).entries).toMatchObject({ visits: { value: "3" } });
});

test("changes of one key in one task are one op, with a merge or without", async () => {
  const { world, browser } = open();
  const { session } = browser.tab();
  await session.awake();
  for (let i = 0; i < 5; i++) {
    session.update("visits", (n) => n + 1);
    session.setValue("note", `n${i}`);
  }
  await session.sleep();
  const { ops } = pushes(world).at(-1) as Push;
  expect(ops.map(({ key, value }) => [key, value])).toEqual([
    ["visits", "5"],
    ["note", '"n4"'],
  ]);
});

test("an op of a merged key that has been on disk is followed, never rewritten; any other key keeps its latest alone", async () => {
  const { world, browser } = open();
  const { session } = browser.tab();
  await session.awake();
  session.update("visits", (n) => n + 1);
  session.setValue("note", "first");
  await Promise.resolve();
  session.update("visits", (n) => n + 1);
  session.setValue("note", "second");
  await session.sleep();
  const { ops } = pushes(world).at(-1) as Push;
  expect(ops.map(({ key, value }) => [key, value])).toEqual([
    ["visits", "1"],
    ["visits", "2"],
    ["note", '"second"'],
  ]);
});

test("a chain of changes of one merged key crosses the wire with each value once, and what it began from", async () => {
  const { world, browser } = open();
  const { session } = browser.tab();
  const other = browser.tab({ name: "other device" }).session;
  await session.awake();
  session.update("visits", (n) => n + 7);
  await session.sleep();
  await other.awake();
  const before = world.requests.length;
  for (const note of ["a", "b", "c"]) {
    session.update("visits", (n) => n + 1);
    session.setValue("note", note);
    await Promise.resolve();
  }
  session.delValue("visits");
  session.setValue("note", "d");
  await Promise.resolve();
  session.update("visits", (n) => n + 1);
  await session.sleep();
  other.update("visits", (n) => n + 10);
  await other.sleep();
  const ops = pushes(world)
    .slice(before)
    .flatMap((push) => push.ops);
  expect(ops.filter(({ key }) => key === "visits").map(({ value, from }) => [value, from])).toEqual([
    ["8", "7"],
    ["9", undefined],
    ["10", undefined],
    [null, undefined],
    ["1", undefined],
    ["17", "7"],
  ]);
  expect((await browser.server()).entries.visits?.value).toBe("11");
});

test("two devices add to a cart and a counter at once: both changes stand, on the server and in both", async () => {
  const { browser } = open();
  const [a, b] = [browser.tab(), browser.tab({ name: "other device" })];
  await a.session.awake();
  a.session.setValue("note", "makes the session");
  await a.session.sleep();
  await b.session.awake();
  a.session.setValue("cart", [{ sku: "pen", qty: 1 }]);
  a.session.update("visits", (n) => n + 1);
  b.session.setValue("cart", [{ sku: "ink", qty: 2 }]);
  b.session.update("visits", (n) => n + 10);
  await a.session.sleep();
  await b.session.sleep();
  await a.session.awake();
  for (const { session } of [a, b]) {
    expect(session.value("visits")).toBe(11);
    expect(session.value("cart").map(({ sku }) => sku)).toEqual(expect.arrayContaining(["pen", "ink"]));
  }
  expect(b.conflicts.map(({ key, what }) => `${key} ${what}`)).toEqual(["cart merged", "visits merged"]);
});

test("null is a value, not an absence", () => {
  const definition = defineSession({ shared: { nick: z.string().nullable().default("nobody") } });
  const { session } = open().browser.tab({ definition: definition as never }) as unknown as {
    session: ClientSession<typeof definition>;
  };
  session.setValue("nick", null);
  expect([session.value("nick"), session.peek("nick")]).toEqual([null, null]);
  session.update("nick", (nick) => (nick === null ? "seen" : "not seen"));
  expect(session.value("nick")).toBe("seen");
  session.setValue("nick", null);
  expect(session.flash("nick")).toBeNull();
});

test("several tabs that write first at once end in one session that has all of it", async () => {
  const { browser } = open();
  const tabs = [browser.tab(), browser.tab(), browser.tab()];
  for (const [i, { session }] of tabs.entries()) session.setValue(k(i), "mine");
  await Promise.all(tabs.map(({ session }) => session.awake()));
  await Promise.all(tabs.map(({ session }) => session.sleep()));
  await Promise.all(tabs.map(({ session }) => session.awake()));
  const identifiers = new Set(tabs.map(({ session }) => session.identifier()));
  expect(identifiers.size).toBe(1);
  expect(Object.keys((await browser.server()).entries).sort()).toEqual(["k0", "k1", "k2"]);
});

test("a browser whose cookie names a session that it does not know adopts it, with what was written before", async () => {
  const { browser } = open();
  const a = browser.tab();
  a.session.setValue("theme", "dark");
  await a.session.awake();
  await a.session.sleep();
  const cleared = browser.tab({ name: "after the disk was cleared" });
  cleared.session.setValue("note", "kept");
  await cleared.session.awake();
  await cleared.session.sleep();
  expect(cleared.session.identifier()).toBe(a.session.identifier());
  expect(cleared.session.value("theme")).toBe("dark");
  expect((await browser.server()).entries).toMatchObject({ note: { value: '"kept"' } });
});

test("sleep with nothing to send sends nothing; setDirty makes it", async () => {
  const { world, browser } = open();
  const { session } = browser.tab();
  session.setValue("note", "x");
  await session.awake();
  await session.sleep();
  const before = world.requests.length;
  await session.sleep();
  expect(world.requests).toHaveLength(before);
  session.setDirty();
  expect(session.isDirty()).toBe(true);
  await session.sleep();
  expect(world.requests).toHaveLength(before + 1);
  expect(session.isDirty()).toBe(false);
});

test("a value that the server refuses is told, and does not hold up the others", async () => {
  const { browser } = open();
  const lenient = browser.tab();
  await lenient.session.awake();
  lenient.session.setValue("note", "fine");
  lenient.session.setValue(k(1), "x".repeat(131_000));
  for (let i = 2; i < 12; i++) lenient.session.setValue(k(i), "x".repeat(131_000));
  await lenient.session.sleep();
  expect(lenient.conflicts.some(({ what, code }) => what === "rejected" && code === "LIMIT_EXCEEDED")).toBe(true);
  expect(lenient.session.status().pending).toBe(0);
  expect((await browser.server()).entries).toMatchObject({ note: { value: '"fine"' } });
});

test("each subscriber is called once for an answer, and never sees the value go back", async () => {
  const { browser } = open();
  const a = browser.tab();
  await a.session.awake();
  a.session.update("visits", (n) => n + 1);
  const seen: number[] = [];
  let calls = 0;
  a.session.subscribe("visits", () => seen.push(a.session.value("visits")));
  a.session.subscribe("note", () => calls++);
  a.session.update("visits", (n) => n + 1);
  await a.session.sleep();
  expect(seen).toEqual([2]);
  expect(calls).toBe(0);
});

test("a subscriber that throws stops neither the write nor the next subscriber", async () => {
  const { browser } = open();
  const { session } = browser.tab();
  const uncaught: unknown[] = [];
  const listener = (error: unknown) => uncaught.push(error);
  const others = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", listener);
  let called = 0;
  session.subscribe("note", () => {
    throw new Error("the app's");
  });
  session.subscribe("note", () => called++);
  session.setValue("note", "x");
  await until(() => uncaught.length > 0);
  process.off("uncaughtException", listener);
  for (const other of others) process.on("uncaughtException", other);
  expect(called).toBe(1);
});

test("what exists on the server alone says so", () => {
  const { browser } = open();
  const { session } = browser.tab();
  // Their types are hidden; plain JavaScript can call them.
  const untyped = session as unknown as Session;
  for (const method of [
    () => untyped.setTimeout(1),
    () => untyped.setPersistent(false),
    () => untyped.rotate(),
    () => untyped.login("x"),
    () => untyped.subject(),
    () => untyped.authenticatedAt(),
    () => untyped.previous(),
    () => untyped.sessionEncode("/x"),
  ]) {
    expect(method).toThrow(expect.objectContaining({ code: "SERVER_ONLY" }));
  }
  expect(() => session.setValue("user" as never, {} as never)).toThrow(
    expect.objectContaining({ code: "FORBIDDEN_KEY" }),
  );
});

test("thousands of changes made while offline go home in a few requests, each once, with a crash in between", async () => {
  const { world, browser } = open();
  const first = browser.tab();
  await first.session.awake();
  world.fate = () => "lost";
  const count = async ({ session }: typeof first, times: number) => {
    for (let i = 0; i < times; i++) {
      session.update("visits", (visits) => visits + 1);
      // Each a change of its own, since this waits for nothing.
      session.setValue("note", `${i}`);
      await Promise.resolve();
    }
  };
  await count(first, 1500);
  await until(async () => (await browser.rows()).size >= 1500);
  first.kill();
  const second = browser.tab();
  const { session } = second;
  await session.awake();
  await count(second, 1000);
  expect(session.value("visits")).toBe(2500);
  world.fate = () => "ok";
  const before = world.requests.length;
  await session.sleep();
  await until(() => session.status().pending === 0);
  expect(world.requests.length - before).toBeLessThanOrEqual(4);
  expect((await browser.server()).entries.visits?.value).toBe("2500");
  expect(session.value("visits")).toBe(2500);
});

test("around sends what is dirty before the call, and shows afterwards what the call has changed, also when it failed", async () => {
  const { browser } = open();
  const { session } = browser.tab();
  await session.awake();
  session.setValue("theme", "dark");
  const other = browser.tab({ name: "elsewhere" }).session;
  const action = async (note: string) => {
    expect((await browser.server()).entries.theme?.value).toBe('"dark"');
    await other.awake();
    other.setValue("note", note);
    await other.sleep();
    return note.length;
  };
  expect(await session.around(() => action("from the action"))).toBe(15);
  expect(session.value("note")).toBe("from the action");
  const failing = () => action("then it failed").then(() => Promise.reject(new Error("no stock")));
  await expect(session.around(failing)).rejects.toThrow("no stock");
  expect(session.value("note")).toBe("then it failed");
});

test("around makes no call while what is dirty cannot go home", async () => {
  const { world, browser } = open();
  const { session } = browser.tab();
  await session.awake();
  session.setValue("theme", "dark");
  world.fate = () => "lost";
  let calls = 0;
  await expect(session.around(() => ++calls)).rejects.toThrow();
  expect(calls).toBe(0);
});
