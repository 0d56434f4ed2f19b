import { expect, test, vi } from "vitest";
import { memoryStore } from "../../../server/src/stores/memory/memory-store.ts";
import { createWorld, open, type Shop, shop, until } from "../../test/world.ts";

/** The shop of an earlier version, which had no notes. */
const older = {
  ...shop,
  keys: new Map([...shop.keys].filter(([name]) => name !== "note")),
  fingerprint: "older",
} as Shop;

/** A browser whose requests reach processes of two versions, on one store: which one, `process` says. */
function deploy() {
  const time = { now: Date.now() };
  const store = { ...memoryStore(), close: async () => undefined };
  const clock = () => time.now;
  const [before, after] = [older, shop].map((definition) => open(createWorld({ store, definition, clock })));
  if (!before || !after) throw new Error("There are two versions");
  Object.defineProperty(after.browser.jar, "cookie", {
    get: () => before.browser.jar.cookie,
    set: (cookie: string) => {
      before.browser.jar.cookie = cookie;
    },
  });
  const route = { process: "older" as "older" | "newer" };
  const newer = after.browser.tab().fetch;
  const tab = (options: Parameters<typeof before.browser.tab>[0] = {}) =>
    before.browser.tab({
      surroundings: { now: clock, random: () => 0 },
      through: (send) => (url, init) => (route.process === "older" ? send(url, init) : newer(url, init)),
      ...options,
    });
  return {
    time,
    route,
    browser: before.browser,
    server: () => after.browser.server(),
    tab,
    requests: before.world.requests,
  };
}

/** Some other change, and one of a key that an older process does not know. */
function write({ session }: ReturnType<ReturnType<typeof deploy>["tab"]>): void {
  session.setValue("theme", "dark");
  session.setValue("note", "new");
  session.update("visits", (n) => n + 1);
}

const waiting = { state: "dirty", pending: 1, problem: { code: "UNKNOWN_KEY" } };

test("a change of a key that the server does not know waits, shows, and goes home when a process knows it; others do not wait", async () => {
  const warn = vi.spyOn(console, "warn").mockReturnValue();
  const { route, tab, server, requests } = deploy();
  const { session, conflicts } = tab();
  await session.awake();
  write({ session } as never);
  await session.sleep();
  expect(session.status()).toMatchObject(waiting);
  expect(session.values()).toEqual({ theme: "dark", note: "new", visits: 1 });
  expect(Object.keys((await server()).entries).sort()).toEqual(["theme", "visits"]);
  const asked = requests.length;
  await session.sleep();
  await new Promise((resolve) => setTimeout(resolve, 50));
  // It is in no hurry.
  expect(requests.length - asked).toBeLessThan(3);
  route.process = "newer";
  await session.awake();
  expect(session.status()).toMatchObject({ state: "synced", pending: 0, problem: undefined });
  expect((await server()).entries).toMatchObject({ note: { value: '"new"' }, visits: { value: "1" } });
  expect([conflicts, warn.mock.calls]).toEqual([
    [],
    [['catnap: The server has no "note": it runs another version of the app. It is tried again by itself']],
  ]);
  warn.mockRestore();
});

test("it outlives its page, also in the hands of a page of the older version", async () => {
  for (const definition of [shop, older]) {
    const { route, tab, server, browser } = deploy();
    const first = tab();
    await first.session.awake();
    write(first);
    await first.session.sleep();
    await until(() => first.session.status().storage === "disk");
    first.kill();
    const second = tab({ definition });
    await second.session.awake();
    await second.session.sleep();
    const rows = async () => [...(await browser.rows()).keys()].filter((name) => name.startsWith("op:"));
    expect([second.conflicts, (await rows()).length]).toEqual([[], 1]);
    route.process = "newer";
    await second.session.awake();
    expect((await server()).entries).toMatchObject({ note: { value: '"new"' }, visits: { value: "1" } });
    await until(async () => (await rows()).length === 0);
  }
});

test("two tabs, each with such a change and with one that rests on no disk, ask no more often than one", async () => {
  const { tab, requests } = deploy();
  const tabs = [tab(), tab()];
  for (const { session } of tabs) await session.awake();
  for (const [i, each] of tabs.entries()) {
    write(each);
    each.session.setValue("pin", `${i}`);
    await each.session.sleep();
  }
  const asked = requests.length;
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(requests.length - asked).toBeLessThan(6);
});

test("after a day, or as long as the app says, such a change is handed to the app, and its row is gone", async () => {
  const { time, tab, browser } = deploy();
  const { session, conflicts } = tab({ unknownFor: 60 });
  await session.awake();
  write({ session } as never);
  await session.sleep();
  expect(conflicts).toEqual([]);
  time.now += 61_000;
  await session.awake();
  expect(conflicts).toEqual([
    {
      key: "note",
      what: "rejected",
      mine: "new",
      code: "UNKNOWN_KEY",
      message: 'The server has no "note": it runs another version of the app',
    },
  ]);
  expect([session.status().pending, session.hasValue("note"), session.value("visits")]).toEqual([0, false, 1]);
  await until(async () => ![...(await browser.rows()).keys()].some((name) => name.startsWith("op:")));
});
