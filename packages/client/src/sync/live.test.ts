import { EventSource } from "eventsource";
import { expect, onTestFinished, test, vi } from "vitest";
import { optionsOf } from "../../test/linked.ts";
import { createWorld, open, until } from "../../test/world.ts";

/** Two devices of one session, and a way to call the server from the second. */
async function twoDevices() {
  const world = createWorld();
  const [desk, phone] = [world.browser(), world.browser()];
  const here = desk.tab({ live: true });
  here.session.setValue("note", "start");
  await here.session.awake();
  await here.session.sleep();
  phone.jar.cookie = desk.jar.cookie;
  const there = phone.tab();
  await there.session.awake();
  await until(() => world.streams.size === 1);
  return { world, desk, phone, here, there };
}

test("after the user has cleared site data, a stream is the new profile's", async () => {
  const { world, desk, here, there } = await twoDevices();
  await desk.clear();
  await here.session.awake();
  await until(() => world.streams.size === 1);
  const before = world.requests.length;
  there.session.setValue("theme", "dark");
  await there.session.sleep();
  await until(() => here.session.value("theme") === "dark");
  expect(world.requests.slice(before).map(({ path }) => path)).toEqual(["session.sync"]);
});

test("what another device writes shows within a second, without a request of this one", async () => {
  const { world, here, there } = await twoDevices();
  const before = world.requests.length;
  there.session.setValue("theme", "dark");
  await there.session.sleep();
  const sent = performance.now();
  await until(() => here.session.value("theme") === "dark");
  expect(performance.now() - sent).toBeLessThan(1000);
  expect(world.requests.slice(before).map(({ path }) => path)).toEqual(["session.sync"]);
});

test("ten tabs share one stream, and all show what comes over it", async () => {
  const { world, desk, here, there } = await twoDevices();
  const tabs = Array.from({ length: 9 }, () => desk.tab({ live: true }));
  for (const { session } of tabs) await session.awake();
  there.session.setValue("theme", "dark");
  await there.session.sleep();
  await until(() => [here, ...tabs].every(({ session }) => session.value("theme") === "dark"));
  expect(world.streams.size).toBe(1);
  expect(world.requests.filter(({ path }) => path === "session.changes")).toHaveLength(1);
});

test("when the tab with the stream goes, the next one takes it over and misses nothing", async () => {
  const { world, desk, here, there } = await twoDevices();
  const next = desk.tab({ live: true });
  await next.session.awake();
  here.page.hide();
  there.session.setValue("theme", "dark");
  await there.session.sleep();
  await until(() => next.session.value("theme") === "dark");
  expect(world.streams.size).toBe(1);
});

test("a hidden page holds no stream, and has one again when it is shown", async () => {
  const { world, here, there } = await twoDevices();
  here.page.hide();
  await until(() => world.streams.size === 0);
  there.session.setValue("theme", "dark");
  await there.session.sleep();
  here.page.document.visibilityState = "visible";
  here.page.fire("pageshow");
  await until(() => here.session.value("theme") === "dark" && world.streams.size === 1);
});

test("a page that comes online, or gets the focus, while it is hidden opens no stream", async () => {
  const { world, here } = await twoDevices();
  here.page.hide();
  await until(() => world.streams.size === 0);
  const before = world.requests.length;
  for (const event of ["online", "focus", "pageshow"]) here.page.fire(event);
  await until(() => world.requests.length > before && here.session.status().state === "synced");
  expect(world.streams.size).toBe(0);
  expect(world.requests.slice(before).map(({ path }) => path)).not.toContain("session.changes");
});

test("a broken connection is taken up again where it broke, ever more patiently, not by EventSource's clock", async () => {
  const { world, here, there } = await twoDevices();
  const changes = () => world.requests.filter(({ path }) => path === "session.changes").length;
  world.fate = (path) => (path === "session.changes" ? "lost" : "ok");
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    for (const cut of world.streams) cut();
    await vi.waitFor(() => expect(world.streams.size).toBe(0));
    const tries: number[] = [];
    for (let second = 1; second <= 200; second++) {
      const before = changes();
      await vi.advanceTimersByTimeAsync(1000);
      if (changes() > before) tries.push(second);
    }
    // The jitter of these tests is the whole of it: after 5, 10, 20, 40, 60 seconds, each from the failure before.
    expect(tries.length).toBeGreaterThanOrEqual(4);
    expect(tries.length).toBeLessThanOrEqual(6);
    const gaps = tries.slice(1).map((at, i) => at - (tries[i] ?? 0));
    expect(gaps).toEqual(gaps.toSorted((a, b) => a - b));
  } finally {
    vi.useRealTimers();
  }
  world.fate = () => "ok";
  there.session.setValue("theme", "dark");
  await there.session.sleep();
  here.page.hide();
  here.page.document.visibilityState = "visible";
  here.page.fire("pageshow");
  await until(() => here.session.value("theme") === "dark");
});

test("a session that is revoked wipes its live tabs at once, without a request of theirs", async () => {
  const { world, desk, here } = await twoDevices();
  const sibling = desk.tab({ live: true });
  await sibling.session.awake();
  await world.sessions.revoke(here.session.identifier());
  await until(() => !here.session.hasValue("note") && !sibling.session.hasValue("note"));
  expect([...(await desk.rows()).values()].map(String).join()).not.toContain("start");
});

test("a tab without a session opens no stream until it has one", async () => {
  const world = createWorld();
  const browser = world.browser();
  const { session } = browser.tab({ live: true });
  await session.awake();
  expect(world.requests.map(({ path }) => path)).toEqual(["session.sync"]);
  session.setValue("note", "first");
  await session.sleep();
  await until(() => world.streams.size === 1);
});

class Refused extends EventSource {
  constructor(url: string) {
    super(url, { fetch: async () => new Response("{}", { status: 401 }) });
  }
}

test.each([
  ["a runtime without an EventSource", undefined],
  ["a browser whose stream a gateway refuses", Refused],
])("%s is told so once, with the remedy, and the rest works", async (_, given) => {
  const warn = vi.spyOn(console, "warn").mockReturnValue();
  onTestFinished(() => warn.mockRestore());
  const { browser } = open();
  const http = { ...optionsOf(browser.tab()), ...(given && { EventSource: given }) };
  const { session } = browser.tab({ live: true, http, surroundings: { random: () => 0 } });
  session.setValue("note", "first");
  await session.awake();
  await until(() => warn.mock.calls.length > 0);
  session.setValue("note", "second");
  await session.sleep();
  expect(session.status()).toMatchObject({ state: "synced", pending: 0, problem: undefined });
  expect(warn.mock.calls).toEqual([[expect.stringContaining("http.headers and EventSource")]]);
});

test("a stream that is refused again and again makes the page ask the server once, not each time", async () => {
  const warn = vi.spyOn(console, "warn").mockReturnValue();
  onTestFinished(() => warn.mockRestore());
  const { world, browser } = open();
  let streams = 0;
  class Counted extends Refused {
    constructor(url: string) {
      super(url);
      streams++;
    }
  }
  const http = { ...optionsOf(browser.tab()), EventSource: Counted };
  const { session } = browser.tab({ live: true, http, surroundings: { random: () => 0 } });
  session.setValue("note", "first");
  await session.awake();
  await until(() => streams > 20);
  // Its awake, and what it asks to learn whether it is the stream alone that is refused.
  expect(world.requests).toHaveLength(2);
  expect(warn).toHaveBeenCalledTimes(1);
});

test("a stream that a gateway refuses while the server is away is no fault of a setting, and comes back by itself", async () => {
  const warn = vi.spyOn(console, "warn").mockReturnValue();
  onTestFinished(() => warn.mockRestore());
  const { world, browser } = open();
  let isAway = false;
  const away = () => new Response("<h1>Bad gateway</h1>", { status: 502 });
  const { fetch } = browser.tab();
  let refused = 0;
  class Stream extends EventSource {
    constructor(url: string) {
      super(url, {
        async fetch(input, init) {
          if (!isAway) return fetch(input as URL, init as RequestInit);
          refused++;
          return away();
        },
      });
    }
  }
  const http = { ...optionsOf({ fetch }), EventSource: Stream };
  const { session, page } = browser.tab({
    live: true,
    http: { ...http, fetch: async (...asked) => (isAway ? away() : fetch(...(asked as Parameters<typeof fetch>))) },
    surroundings: { random: () => 0 },
  });
  session.setValue("note", "first");
  await session.sleep();
  await session.awake();
  await until(() => world.streams.size === 1);
  isAway = true;
  page.hide();
  page.document.visibilityState = "visible";
  page.fire("pageshow");
  await until(() => refused > 2 && session.status().state === "offline");
  isAway = false;
  await until(() => world.streams.size === 1);
  expect(warn.mock.calls).toEqual([]);
});

test("a frame that is denied locks has a stream, and begins its session, all the same", async () => {
  const { world, browser } = open();
  const request = () => Promise.reject(new DOMException("The request was denied.", "SecurityError"));
  const { session } = browser.tab({ live: true, surroundings: { locks: { request } } });
  await session.awake();
  session.setValue("note", "first");
  await session.sleep();
  await until(() => world.streams.size === 1);
  session.close();
  await until(() => world.streams.size === 0);
});
