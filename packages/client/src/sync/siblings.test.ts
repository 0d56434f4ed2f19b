import { expect, test } from "vitest";
import { refuse } from "../../test/disks.ts";
import { createWorld, open, until } from "../../test/world.ts";

async function twoTabs() {
  const world = createWorld();
  const browser = world.browser();
  const [a, b] = [browser.tab(), browser.tab()];
  a.session.setValue("note", "start");
  await a.session.awake();
  await a.session.sleep();
  await b.session.awake();
  return { world, browser, a, b };
}

test("a sibling shows a write at once, without the network, and the answer too", async () => {
  const { world, a, b } = await twoTabs();
  world.fate = () => "lost";
  const before = world.requests.length;
  a.session.setValue("theme", "dark");
  await until(() => b.session.value("theme") === "dark");
  expect(world.requests).toHaveLength(before);
  expect(b.session.status().pending).toBe(1);
  world.fate = () => "ok";
  await a.session.sleep();
  await until(() => b.session.status().pending === 0);
  expect(world.requests).toHaveLength(before + 1);
  expect(b.session.value("theme")).toBe("dark");
});

test("of two tabs that write one key the later one wins, in whatever order they go home", async () => {
  const { browser, a, b } = await twoTabs();
  a.session.setValue("note", "earlier");
  await until(() => b.session.value("note") === "earlier");
  b.session.setValue("note", "later");
  await until(() => a.session.value("note") === "later");
  await b.session.sleep();
  await a.session.sleep();
  expect((await browser.server()).entries).toMatchObject({ note: { value: '"later"' } });
  await until(() => a.session.status().pending + b.session.status().pending === 0);
  expect([a.session.value("note"), b.session.value("note")]).toEqual(["later", "later"]);
});

test("two tabs count together, and both see the sum before it goes home", async () => {
  const { browser, a, b } = await twoTabs();
  a.session.update("visits", (n) => n + 1);
  b.session.update("visits", (n) => n + 1);
  await until(() => a.session.value("visits") === 2 && b.session.value("visits") === 2);
  await Promise.all([a.session.sleep(), b.session.sleep()]);
  expect((await browser.server()).entries).toMatchObject({ visits: { value: "2" } });
  await until(() => a.session.value("visits") === 2 && b.session.value("visits") === 2);
});

test("a tab without a session learns of a sibling's", async () => {
  const world = createWorld();
  const browser = world.browser();
  const [a, b] = [browser.tab(), browser.tab()];
  await Promise.all([a.session.awake(), b.session.awake()]);
  a.session.setValue("note", "first");
  await a.session.sleep();
  await until(() => b.session.value("note", "") === "first");
  expect(b.session.identifier()).toBe(a.session.identifier());
});

test("a sibling's change that is not on disk yet stays on the screen of a tab that reads the disk", async () => {
  const { world, browser, b } = await twoTabs();
  // It can keep nothing.
  const a = browser.tab({ surroundings: { indexedDB: undefined } });
  await a.session.awake();
  world.fate = () => "lost";
  const shown: number[] = [];
  b.session.subscribe("visits", () => shown.push(b.session.value("visits")));
  a.session.update("visits", (n) => n + 1);
  await until(() => b.session.value("visits") === 1);
  await b.session.awake();
  world.fate = () => "ok";
  await b.session.awake();
  expect(shown).toEqual([1]);
  await a.session.sleep();
  await b.session.awake();
  expect([b.session.value("visits"), b.session.status().pending]).toEqual([1, 0]);
});

test("a tab that missed how a living sibling's change came home does not wait for it for ever", async () => {
  const { browser, b } = await twoTabs();
  const a = browser.tab({ surroundings: { indexedDB: undefined } });
  await a.session.awake();
  a.session.update("visits", (n) => n + 1);
  await until(() => b.session.value("visits") === 1);
  b.page.leave();
  await a.session.sleep();
  b.page.document.visibilityState = "visible";
  b.page.fire("pageshow");
  await until(() => b.session.status().state === "synced");
  expect([b.session.value("visits"), b.session.status().pending]).toEqual([1, 0]);
});

test("what a sibling without the session still waits for stays on the screen of one that has met it", async () => {
  const { browser } = open();
  // The disk can be read, and takes nothing.
  refuse("put");
  // Nothing of what one of them sends arrives.
  const never = () => new Promise<never>(() => undefined);
  const a = browser.tab({ through: () => never });
  const b = browser.tab();
  void a.session.awake();
  await b.session.awake();
  a.session.update("visits", (n) => n + 1);
  await until(() => b.session.value("visits") === 1);
  b.session.update("visits", (n) => n + 1);
  const shown: number[] = [];
  b.session.subscribe("visits", () => shown.push(b.session.value("visits")));
  await b.session.sleep();
  await b.session.awake();
  expect([b.session.value("visits"), b.session.status().pending, shown]).toEqual([2, 1, []]);
});

test("a tab asks what became of the last changes of a sibling whose page has ended as it sent them", async () => {
  const { a, b } = await twoTabs();
  a.session.setValue("note", "the last");
  a.page.leave();
  await until(() => b.session.status().pending === 1);
  await until(() => b.session.status().state === "synced");
  expect([b.session.value("note"), b.session.status().pending]).toEqual(["the last", 0]);
});

test("a change of a sibling that died, whose acknowledgement a tab has not heard, does not stay on its screen", async () => {
  const { browser, a, b } = await twoTabs();
  const writer = "writer-that-died";
  const op = { seq: 50, key: "visits", value: "1", from: null, base: 0, writer };
  const died = new BroadcastChannel(`catnap:${browser.name}`);
  const about = { identifier: a.session.identifier(), epoch: browser.epoch().name, writer };
  died.postMessage({ ...about, kind: "op", ops: [op] });
  died.close();
  await until(() => b.session.value("visits") === 1);
  await b.session.awake();
  expect([b.session.value("visits"), b.session.status().pending]).toEqual([0, 0]);
});

test("messages of another session, or of another epoch, are ignored", async () => {
  const { browser, a } = await twoTabs();
  const foreign = new BroadcastChannel(`catnap:${browser.name}`);
  const op = { seq: 99, key: "note", value: '"leak"', base: 0, writer: "w".repeat(11) };
  const about = { identifier: "x".repeat(32), epoch: browser.epoch().name, writer: op.writer };
  const delta = {
    since: 0,
    rev: 999,
    entries: [["theme", { value: '"dark"', rev: 999 }]],
    reset: true,
    writer: op.writer,
    acked: 99,
    facts: null,
  };
  foreign.postMessage({ ...about, kind: "op", ops: [op] });
  foreign.postMessage({ ...about, kind: "synced", delta });
  const stranger = { ...about, identifier: a.session.identifier(), epoch: "p".repeat(16) };
  foreign.postMessage({ ...stranger, kind: "op", ops: [op] });
  foreign.postMessage({ ...stranger, kind: "synced", delta });
  const known = { ...stranger, epoch: about.epoch };
  foreign.postMessage({ ...known, kind: "op", ops: [{ ...op, key: "k1", value: '"mark"' }] });
  await until(() => a.session.value("k0" as never, undefined) === undefined && a.session.status().pending === 1);
  expect([a.session.value("note"), a.session.value("theme")]).toEqual(["start", "light"]);
  foreign.close();
});

test("a page that meets the session hears of changes that no disk holds", async () => {
  const { world, browser, a } = await twoTabs();
  world.fate = () => "lost";
  a.session.setValue("pin", "1234");
  await a.session.sleep().catch(() => undefined);
  const c = browser.tab();
  await c.session.awake();
  await until(() => c.session.value("pin", "") === "1234");
});

test("a message that is nothing, of whoever else uses the channel's name, is nobody's", async () => {
  const { browser, a, b } = await twoTabs();
  const stranger = new BroadcastChannel(`catnap:${browser.name}`);
  const uncaught: unknown[] = [];
  const others = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", (error) => uncaught.push(error));
  try {
    for (const nothing of [null, undefined, ""]) stranger.postMessage(nothing);
    a.session.setValue("note", "after it");
    await until(() => b.session.value("note") === "after it");
    await new Promise((resolve) => setTimeout(resolve, 20));
  } finally {
    process.removeAllListeners("uncaughtException");
    for (const listener of others) process.on("uncaughtException", listener);
    stranger.close();
  }
  expect(uncaught).toEqual([]);
});

test("what a tab has written goes home though a sibling goes on writing, and the tab awakes again and again", async () => {
  const { world, browser } = open();
  const sibling = browser.tab({ idle: 1000, maxWait: 1000 });
  sibling.session.update("visits", (n) => n + 1);
  await sibling.session.awake();
  await sibling.session.sleep();
  const awakes: Promise<void>[] = [];
  const tab = browser.tab({
    idle: 1000,
    through: (send) => async (url, init) => {
      if (awakes.length > 0 && awakes.length < 10) await disturb();
      return send(url, init);
    },
  });
  const disturb = async () => {
    sibling.session.setValue("theme", awakes.length % 2 === 0 ? "dark" : "light");
    await browser.rows();
    awakes.push(Promise.resolve(tab.session.awake()));
    // By then the tab has read the disk as well.
    for (let i = 0; i < 3; i++) await browser.rows();
  };
  await tab.session.awake();
  tab.session.setValue("note", "mine");
  const before = world.requests.length;
  await disturb();
  await tab.session.sleep();
  const bodies = world.requests.slice(before).map(({ body }) => body);
  expect(bodies.findIndex((body) => body.includes("mine"))).toBeLessThan(3);
  await Promise.all(awakes);
  expect((await browser.server()).entries).toMatchObject({ note: { value: '"mine"' } });
});
