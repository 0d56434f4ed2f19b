import { getEventListeners } from "node:events";
import type { Push } from "@catnap/shared";
import superjson from "superjson";
import { afterEach, expect, test, vi } from "vitest";
import { k, open, type Tab, until } from "../test/world.ts";
import { watchPage } from "./page.ts";

afterEach(() => {
  vi.useRealTimers();
});

test("a page that goes sends what is unsent, synchronously, once, beside the app's links", async () => {
  const { world, browser } = open();
  const { session, page } = browser.tab();
  await session.awake();
  session.setValue("note", "last words");
  const before = world.requests.length;
  page.leave();
  expect(world.requests.slice(before)).toEqual([expect.objectContaining({ path: "session.sync", keepalive: true })]);
  await until(() => session.status().pending === 0);
  expect((await browser.server()).entries).toMatchObject({ note: { value: '"last words"' } });
  page.hide();
  expect(world.requests).toHaveLength(before + 1);
});

test("what the closing push and an ordinary one both carry takes effect once", async () => {
  const { world, browser } = open();
  const { session, page } = browser.tab();
  await session.awake();
  const release = world.hold();
  session.update("visits", (n) => n + 1);
  const sent = session.sleep();
  await until(() => world.requests.at(-1)?.body.includes("visits") === true);
  page.leave();
  release();
  await sent;
  await until(() => session.status().pending === 0);
  expect(world.requests.filter(({ keepalive }) => keepalive)).toHaveLength(1);
  expect((await browser.server()).entries).toMatchObject({ visits: { value: "1" } });
  expect(session.value("visits")).toBe(1);
});

test("a clean page that goes sends nothing", async () => {
  const { world, browser } = open();
  const { session, page } = browser.tab();
  await session.awake();
  const before = world.requests.length;
  page.leave();
  expect(world.requests).toHaveLength(before);
  expect(session.status().state).toBe("asleep");
});

test("the closing push takes at most 48 KiB: the oldest ops that fit; the rest stays on disk", async () => {
  const { world, browser } = open();
  const { session, page } = browser.tab();
  await session.awake();
  for (let i = 0; i < 100; i++) session.setValue(k(i), '"é'.repeat(500));
  page.leave();
  const { body } = world.requests.at(-1) as { body: string };
  expect(Buffer.byteLength(body)).toBeLessThanOrEqual(49_152);
  const { ops, upTo } = superjson.parse<Push>(body);
  expect(ops.map(({ key }) => key)).toEqual(ops.map((_, i) => `k${i}`));
  expect(ops.length).toBeGreaterThan(5);
  expect(upTo).toBe(ops.at(-1)?.seq);
  const size = (end: number) => Buffer.byteLength(superjson.stringify(ops.slice(0, end)));
  expect(49_152 - Buffer.byteLength(body)).toBeLessThan(4 * (size(2) - size(1)));
  await until(
    async () => [...(await browser.rows()).keys()].filter((name) => name.startsWith("op:")).length === 100 - ops.length,
  );
});

test("the tab sleeps by itself after a second without a write", async () => {
  const { world, browser } = open();
  const { session } = browser.tab();
  await session.awake();
  const before = world.requests.length;
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  session.setValue("note", "a");
  await Promise.resolve();
  vi.advanceTimersByTime(900);
  session.setValue("note", "b");
  await Promise.resolve();
  vi.advanceTimersByTime(900);
  expect(world.requests).toHaveLength(before);
  vi.advanceTimersByTime(100);
  vi.useRealTimers();
  await until(() => session.status().pending === 0);
  expect(world.requests).toHaveLength(before + 1);
});

test.each([
  [undefined, 5_000],
  [2, 2_000],
])("while writing goes on the tab sleeps each maxWait seconds all the same: %s", async (maxWait, expected) => {
  const { world, browser } = open();
  let skew = 0;
  const { session } = browser.tab({
    ...(maxWait && { maxWait }),
    surroundings: { now: () => Date.now() + skew },
  });
  await session.awake();
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
  const before = world.requests.length;
  const sentAt: number[] = [];
  for (let ms = 0; ms <= 4 * expected; ms += 500) {
    session.setValue("note", `${ms}`);
    await vi.advanceTimersByTimeAsync(500);
    // A clock that is set back postpones nothing.
    if (ms === 2 * expected) skew = -86_400_000;
    if (world.requests.length > before + sentAt.length) sentAt.push(ms + 500);
  }
  expect(sentAt[0]).toBe(expected);
  expect(sentAt.length).toBeGreaterThanOrEqual(3);
});

test("while the server is away it is asked less and less often; coming online asks at once", async () => {
  const { world, browser } = open();
  const { session, page } = browser.tab();
  await session.awake();
  world.fate = () => "lost";
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  session.setValue("note", "x");
  await Promise.resolve();
  const gaps: number[] = [];
  for (let waited = 0, seen = world.requests.length; gaps.length < 10; waited += 250) {
    await vi.advanceTimersByTimeAsync(250);
    for (let i = 0; i < 50; i++) await Promise.resolve();
    if (world.requests.length === seen) continue;
    seen = world.requests.length;
    gaps.push(waited + 250);
    waited = -250;
  }
  expect(gaps).toEqual([1000, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000]);
  expect(session.status().state).toBe("offline");
  world.fate = () => "ok";
  const before = world.requests.length;
  page.fire("online");
  vi.useRealTimers();
  await until(() => session.status().state === "synced");
  expect(world.requests.length).toBe(before + 1);
});

test("what the server refuses for good is not sent again by itself", async () => {
  const { world, browser } = open();
  let calls = 0;
  const refuse = async () => {
    calls++;
    const data = { httpStatus: 400, session: { code: "BAD_PUSH", message: "malformed" } };
    return new Response(JSON.stringify({ error: superjson.serialize({ message: "bad", data }) }), { status: 400 });
  };
  const { session } = browser.tab({ through: () => refuse });
  await session.awake();
  calls = 0;
  session.setValue("note", "x");
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  await expect(session.sleep()).rejects.toMatchObject({ code: "BAD_PUSH" });
  await vi.advanceTimersByTimeAsync(600_000);
  expect(calls).toBe(1);
  expect(world.requests).toHaveLength(0);
});

test.each([
  ["in seconds", () => "30"],
  ["as a date", () => new Date(Date.now() + 31_000).toUTCString()],
])("Retry-After is obeyed, %s, whatever the body is", async (_, after) => {
  const { browser } = open();
  let calls = 0;
  const busy = async () => {
    calls++;
    return new Response("<html>busy</html>", { status: 503, headers: { "retry-after": after() } });
  };
  const { session } = browser.tab({ through: () => busy });
  await session.awake();
  calls = 0;
  session.setValue("note", "x");
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  await expect(session.sleep()).rejects.toMatchObject({ code: "UNREACHABLE" });
  await vi.advanceTimersByTimeAsync(29_000);
  expect(calls).toBe(1);
  await vi.advanceTimersByTimeAsync(2_500);
  expect(calls).toBe(2);
});

test("Retry-After of a month is an hour", async () => {
  const { browser } = open();
  let calls = 0;
  const busy = async () => {
    calls++;
    return new Response("", { status: 429, headers: { "retry-after": "2592000" } });
  };
  const { session } = browser.tab({ through: () => busy });
  await session.awake();
  calls = 0;
  session.setValue("note", "x");
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  await expect(session.sleep()).rejects.toMatchObject({ code: "UNREACHABLE" });
  await vi.advanceTimersByTimeAsync(3_599_000);
  expect(calls).toBe(1);
  await vi.advanceTimersByTimeAsync(1_500);
  expect(calls).toBe(2);
});

test("a client that is made after the page was loaded awakes by itself, after it has taken in its snapshot", async () => {
  const { world, browser } = open();
  const first = browser.tab();
  first.session.setValue("note", "there");
  await first.session.sleep();
  const initialSnapshot = await browser.server();
  world.requests.length = 0;
  const document = Object.assign(new EventTarget(), { visibilityState: "visible", readyState: "interactive" });
  const page = { document, window: new EventTarget() };
  const early = browser.tab({ surroundings: { page } }).session;
  document.readyState = "complete";
  const late = browser.tab({ initialSnapshot, surroundings: { page } }).session;
  await until(() => late.status().state === "synced" && late.status().storage === "disk");
  expect([early.status().state, late.value("note")]).toEqual(["asleep", "there"]);
  expect(world.requests.map(({ body }) => superjson.parse<Push>(body).since)).toEqual([initialSnapshot.rev]);
});

test("a departure that the browser has ended in the middle is made by the page's next event", async () => {
  const { world, browser } = open();
  const document = Object.assign(new EventTarget(), { visibilityState: "visible" });
  const leave: ((event: Event) => void)[] = [];
  const window = new EventTarget();
  window.addEventListener = (name: string, listener: EventListener) =>
    void (name === "pagehide" && leave.push(listener));
  const { session } = browser.tab({ surroundings: { page: { document, window } } });
  await session.awake();
  session.setValue("note", "last words");
  const write = JSON.stringify;
  const ended = vi.spyOn(JSON, "stringify").mockImplementation((...given: Parameters<typeof write>) => {
    if (given[0]?.json?.ops) throw new Error("ended");
    return write(...given);
  });
  const depart = () => leave[0]?.(new Event("pagehide"));
  expect(depart).toThrow("ended");
  ended.mockRestore();
  const before = world.requests.length;
  depart();
  expect(world.requests.slice(before)).toEqual([expect.objectContaining({ path: "session.sync", keepalive: true })]);
});

test("the session is put to sleep before the app's own handlers of a page's end, and after them", () => {
  const [window, calls] = [new EventTarget(), [] as string[]];
  const document = Object.assign(new EventTarget(), { visibilityState: "visible" });
  const note = (call: string) => () => void calls.push(call);
  watchPage({ document, window }, note("awake"), note("asleep"), note("stored"));
  window.addEventListener("pagehide", note("the app's"));
  document.visibilityState = "hidden";
  for (const _ of [1, 2]) document.dispatchEvent(new Event("visibilitychange"));
  calls.length = 0;
  window.dispatchEvent(new Event("pagehide"));
  expect(calls).toEqual(["asleep", "the app's", "asleep"]);
});

test("a page that comes and goes all day listens no more than at first, and no more at all once nobody watches it", () => {
  const window = new EventTarget();
  const document = Object.assign(new EventTarget(), { visibilityState: "hidden" });
  const asleep = vi.fn();
  const stop = watchPage(
    { document, window },
    () => undefined,
    asleep,
    () => undefined,
  );
  const hide = () => void document.dispatchEvent(new Event("visibilitychange"));
  hide();
  const before = getEventListeners(stop.signal, "abort").length;
  for (let i = 0; i < 20; i++) hide();
  expect(getEventListeners(stop.signal, "abort")).toHaveLength(before);
  stop.abort();
  asleep.mockClear();
  window.dispatchEvent(new Event("pagehide"));
  expect(asleep).not.toHaveBeenCalled();
});

test("what is written within a second after the page was hidden leaves at once", async () => {
  const { world, browser } = open();
  const { session, page } = browser.tab();
  await session.awake();
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  page.hide();
  await vi.advanceTimersByTimeAsync(500);
  page.document.visibilityState = "visible";
  page.fire("pageshow");
  page.hide();
  await vi.advanceTimersByTimeAsync(900);
  const before = world.requests.length;
  session.setValue("note", "last words");
  await vi.advanceTimersByTimeAsync(0);
  expect(world.requests.slice(before)).toEqual([expect.objectContaining({ path: "session.sync", keepalive: true })]);
});

test("a hidden page that goes on writing sends no push for each write", async () => {
  const { world, browser } = open();
  const { session, page } = browser.tab();
  await session.awake();
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  page.hide();
  const before = world.requests.length;
  for (let n = 0; n < 20; n++) {
    await vi.advanceTimersByTimeAsync(400);
    session.setValue("note", `write ${n}`);
  }
  await vi.advanceTimersByTimeAsync(0);
  expect(world.requests.slice(before).filter(({ keepalive }) => keepalive)).toHaveLength(2);
});

test("a page that goes sends before it writes to localStorage", async () => {
  const { world, browser } = open();
  const { session, page } = browser.tab();
  await session.awake();
  session.setValue("note", "last words");
  const before = world.requests.length;
  const sent: number[] = [];
  const put = browser.marks.set.bind(browser.marks);
  browser.marks.set = (name, text) => {
    if (name.includes(":journal:")) sent.push(world.requests.length - before);
    return put(name, text);
  };
  page.leave();
  expect(sent[0]).toBe(1);
});

test("a page that comes back and writes at once is awake", async () => {
  const { browser } = open();
  const { session, page } = browser.tab();
  await session.awake();
  page.leave();
  page.document.visibilityState = "visible";
  page.fire("pageshow");
  session.setValue("note", "back");
  await until(() => session.status().state === "synced");
});

test("a page that gets the focus back and forth, as from frames in it, asks once a second", () => {
  const window = new EventTarget();
  const awake = vi.fn();
  const document = Object.assign(new EventTarget(), { visibilityState: "visible" });
  const stop = watchPage(
    { document, window },
    awake,
    () => undefined,
    () => undefined,
  );
  const clock = vi.spyOn(Event.prototype, "timeStamp", "get");
  const focusAt = (ms: number) => {
    clock.mockReturnValue(ms);
    window.dispatchEvent(new Event("focus"));
  };
  for (const ms of [0, 100, 900, 1_000, 1_999, 2_000]) focusAt(ms);
  clock.mockRestore();
  stop.abort();
  expect(awake).toHaveBeenCalledTimes(3);
});

test("close ends listeners, timers and the channel", async () => {
  const { world, browser } = open();
  const { session, page } = browser.tab();
  await session.awake();
  session.setValue("note", "x");
  session.close();
  const before = world.requests.length;
  page.leave();
  page.fire("focus");
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(world.requests).toHaveLength(before);
});

test.each<[string, (session: Tab["session"]) => unknown]>([
  ["awakes", (session) => session.awake()],
  ["is written to", (session) => session.setValue("note", "again")],
])("a session that was closed and %s is open again, with all that it had", async (_, use) => {
  const { world, browser } = open();
  const { session, page } = browser.tab();
  await session.awake();
  session.setValue("theme", "dark");
  session.close();
  session.close();
  await use(session);
  session.setValue("note", "again");
  await session.sleep();
  expect((await browser.server()).entries).toMatchObject({ theme: { value: '"dark"' }, note: { value: '"again"' } });
  await session.awake();
  const before = world.requests.length;
  session.setValue("note", "last words");
  page.leave();
  expect(world.requests.slice(before)).toMatchObject([{ keepalive: true }]);
  await until(() => session.status().pending === 0);
});

test("what is written to a session that was closed reaches the disk and the siblings, and is sent by itself", async () => {
  const { browser } = open();
  const [{ session }, other] = [browser.tab({ idle: 0.01 }), browser.tab()];
  await other.session.awake();
  await session.awake();
  session.close();
  session.setValue("note", "again");
  await until(() => session.status().pending === 0 && session.status().storage === "disk");
  expect((await browser.server()).entries).toMatchObject({ note: { value: '"again"' } });
  await session.awake();
  session.setValue("note", "and again");
  await until(() => other.session.value("note", "") === "and again");
});

test("what is written to a session that was closed in a page that was loaded awakes it; made and closed in one task it stays closed", async () => {
  const { world, browser } = open();
  const document = Object.assign(new EventTarget(), { visibilityState: "visible", readyState: "complete" });
  const page = { document, window: new EventTarget() };
  const [{ session }, other] = [browser.tab({ surroundings: { page } }), browser.tab()];
  session.close();
  await other.session.awake();
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect([session.status().state, world.requests]).toMatchObject(["asleep", [{ path: "session.sync" }]]);
  session.setValue("note", "here");
  await until(() => other.session.value("note", "") === "here" && session.status().state === "synced");
  other.session.setValue("note", "there");
  await until(() => session.value("note") === "there");
});

test("what was written as the session was closed is sent by the sleep that comes after", async () => {
  const { browser } = open();
  const { session } = browser.tab();
  session.setValue("note", "first");
  session.close();
  await session.sleep();
  expect((await browser.server()).entries).toMatchObject({ note: { value: '"first"' } });
});

test("on a server it is inert: it shows the snapshot and the defaults", () => {
  const { world, browser } = open();
  const entries = { note: { value: '"hello"', rev: 3 } };
  const { session } = browser.tab({
    initialSnapshot: { identifier: "i".repeat(22), rev: 3, entries, decided: {}, facts: null },
    surroundings: { indexedDB: undefined, localStorage: undefined, channel: undefined, page: undefined },
  });
  expect([session.value("note"), session.value("theme"), session.identifier()]).toEqual([
    "hello",
    "light",
    "i".repeat(22),
  ]);
  expect(session.status()).toBe(session.status());
  expect(world.requests).toHaveLength(0);
});
