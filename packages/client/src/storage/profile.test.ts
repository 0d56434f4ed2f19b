import { expect, test } from "vitest";
import { refuse, useless } from "../../test/disks.ts";
import { type createWorld, open, type Tab, until } from "../../test/world.ts";

type World = ReturnType<typeof createWorld>;
/** What all requests have named themselves by. */
const named = ({ requests }: World, what: "profile" | "nonce") =>
  new Set(requests.flatMap(({ body }) => new RegExp(`"${what}":"([^"]+)"`).exec(body)?.[1] ?? []));

const visit = ({ session }: Tab) => session.update("visits", (visits) => visits + 1);
const awake = (tabs: readonly Tab[]) => Promise.all(tabs.map(({ session }) => session.awake()));
const sleep = (tabs: readonly Tab[]) => Promise.all(tabs.map(({ session }) => session.sleep()));

test.each(Object.entries(useless))(
  "tabs whose disk is %s begin one session, and count each change once",
  async (_, indexedDB) => {
    const { world, browser } = open();
    const tabs = [1, 2, 3].map(() => browser.tab({ surroundings: { indexedDB: indexedDB() } }));
    const shown = new Set<number>();
    for (const { session } of tabs) session.subscribe("visits", () => shown.add(session.value("visits")));
    tabs.forEach(visit);
    await awake(tabs);
    tabs.forEach(visit);
    await sleep(tabs);
    await awake(tabs);
    await until(() => tabs.every(({ session }) => session.value("visits") === 6 && session.status().pending === 0));
    expect(Math.max(...shown)).toBe(6);
    expect((await browser.server()).entries).toMatchObject({ visits: { value: "6" } });
    expect([named(world, "profile").size, new Set(tabs.map(({ session }) => session.identifier())).size]).toEqual([
      1, 1,
    ]);
  },
);

test("pages that leave in their first moment, whatever their disk would have said, begin one session", async () => {
  const { world, browser } = open();
  const tabs = [browser.tab(), browser.tab({ surroundings: { indexedDB: useless.hanging() } })];
  for (const tab of tabs) {
    visit(tab);
    tab.page.leave();
    tab.kill();
  }
  await until(() => world.requests.length === 2);
  expect([named(world, "profile").size, named(world, "nonce").size]).toEqual([1, 1]);
  const next = browser.tab();
  await next.session.awake();
  await next.session.sleep();
  expect((await browser.server()).entries).toMatchObject({ visits: { value: "2" } });
});

test("without localStorage a tab keeps nothing on disk, and says so", async () => {
  const { browser } = open();
  const denied = { surroundings: { localStorage: undefined } };
  const [first, second] = [browser.tab(denied), browser.tab(denied)];
  for (const tab of [first, second]) {
    visit(tab);
    await awake([tab]);
    await sleep([tab]);
  }
  expect((await browser.server()).entries).toMatchObject({ visits: { value: "2" } });
  expect([first.session.status().storage, (await browser.rows()).size]).toEqual(["memory", 0]);
});

test("after site data were cleared under a living tab, the browser is what that tab knows", async () => {
  const { world, browser } = open();
  const old = browser.tab();
  visit(old);
  await awake([old]);
  await sleep([old]);
  const before = browser.epoch();
  await browser.clear();
  const other = browser.tab();
  const shown: number[] = [];
  for (const { session } of [old, other]) session.subscribe("visits", () => shown.push(session.value("visits")));
  visit(old);
  await awake([other]);
  visit(other);
  await sleep([other, old]);
  await until(() => [old, other].every(({ session }) => session.value("visits") === 3));
  expect([Math.max(...shown), named(world, "profile").size]).toEqual([3, 1]);
  expect(browser.epoch()).toMatchObject({ name: before.name, profile: before.profile });
});

test("what a page has left on disk is handed to the app where localStorage is gone, since it may have gone home", async () => {
  const { world, browser } = open();
  const old = browser.tab();
  visit(old);
  await awake([old]);
  await sleep([old]);
  world.fate = () => "answer lost";
  visit(old);
  await sleep([old]).catch(() => undefined);
  await until(async () => [...(await browser.rows()).keys()].some((name) => name.startsWith("op:")));
  old.kill();
  browser.marks.clear();
  world.fate = () => "ok";
  const later = () => Date.now() + 120_000;
  const next = browser.tab({ initialSnapshot: await browser.server(), surroundings: { now: later } });
  visit(next);
  await awake([next]);
  await sleep([next]);
  expect((await browser.server()).entries).toMatchObject({ visits: { value: "3" } });
  await until(() => next.expired.length > 0);
  expect(next.expired).toEqual([{ code: "SESSION_REPLACED", unsent: [{ key: "visits", value: 2 }] }]);
  await until(async () => ![...(await browser.rows()).keys()].some((name) => name.startsWith("op:")));
});

test("what a tab has on disk that began in the same moment, and has not heard of the others, is not given to the app", async () => {
  const { world, browser } = open();
  world.fate = () => "lost";
  const tab = browser.tab();
  visit(tab);
  await until(async () => (await browser.rows()).size === 1);
  tab.kill();
  const minute = 60_000;
  for (const [late, told] of [
    [0, 0],
    [2 * minute, 1],
  ] as const) {
    browser.marks.clear();
    const next = browser.tab({ surroundings: { now: () => Date.now() + late } });
    await awake([next]);
    await until(async () => next.expired.length === told && (await browser.rows()).size === 1 - told);
    next.kill();
  }
});

test("what tabs write while they end a session begins one with what their siblings write, though no disk answers", async () => {
  const { world, browser } = open();
  const before = browser.tab();
  visit(before);
  await awake([before]);
  await sleep([before]);
  before.kill();
  browser.agree({ name: "n".repeat(43), identifier: null, ends: [before.session.identifier()] });
  const release = world.hold();
  const tabs = [1, 2].map(() => browser.tab({ surroundings: { indexedDB: useless.hanging() } }));
  const awoken = awake(tabs);
  await until(() => world.requests.filter(({ path }) => path === "session.invalidate").length === 2);
  tabs.forEach(visit);
  const asked = world.requests.length;
  release();
  await awoken;
  await until(() => tabs.every(({ session }) => session.status().pending === 0));
  const profiles = world.requests.slice(asked).flatMap(({ body }) => /"profile":"([^"]+)"/.exec(body)?.[1] ?? []);
  expect(new Set(profiles).size).toBe(1);
  expect((await browser.server()).entries).toMatchObject({ visits: { value: "2" } });
});

test("a tab that shows what its sibling waits for takes no other profile before that has come home", async () => {
  const { world, browser } = open();
  const [a, b] = [browser.tab(), browser.tab()];
  await awake([a, b]);
  world.fate = () => "lost";
  visit(a);
  await until(() => b.session.value("visits") === 1);
  await browser.clear();
  await awake([browser.tab(), b]);
  world.fate = () => "ok";
  await sleep([a]);
  await until(() => b.session.status().pending === 0);
  expect(b.session.value("visits")).toBe(1);
});

test("what a page still waits for is not passed over by what it wrote after the user had cleared the disk", async () => {
  const { world, browser } = open();
  // Nothing of what it sends arrives.
  const never = () => new Promise<never>(() => undefined);
  const tab = browser.tab({ through: () => never });
  void tab.session.awake();
  visit(tab);
  const stored = async () => [...(await browser.rows()).keys()].filter((name) => name.startsWith("op:")).length;
  await until(async () => (await stored()) === 1);
  await browser.clear();
  visit(tab);
  await until(async () => (await stored()) === 2);
  tab.kill();
  world.fate = () => "lost";
  const next = browser.tab();
  await awake([next]);
  await until(() => next.session.value("visits") === 2);
  world.fate = () => "ok";
  await awake([next]);
  expect((await browser.server()).entries).toMatchObject({ visits: { value: "2" } });
});

test("what a page has not sent is on disk again when it has awoken, though the user has cleared it", async () => {
  const { world, browser } = open();
  const tab = browser.tab();
  await awake([tab]);
  world.fate = () => "lost";
  const stored = async () => [...(await browser.rows()).keys()].filter((name) => name.startsWith("op:")).length;
  visit(tab);
  await until(async () => (await stored()) === 1);
  await browser.clear();
  await awake([tab]);
  await until(async () => (await stored()) === 1);
});

test("a disk that takes nothing more is wiped all the same", async () => {
  const { browser } = open();
  const tab = browser.tab();
  visit(tab);
  await awake([tab]);
  await sleep([tab]);
  await until(async () => (await browser.rows()).has("cache"));
  const restore = refuse("put");
  await tab.session.invalidate();
  await until(async () => (await browser.rows()).size === 0);
  restore();
});

test("a wipe that failed takes nothing that was written after it", async () => {
  const { world, browser } = open();
  const tab = browser.tab();
  visit(tab);
  await awake([tab]);
  await sleep([tab]);
  await until(async () => (await browser.rows()).has("cache"));
  const restore = refuse("openCursor");
  await tab.session.invalidate();
  await until(() => tab.session.status().storage === "memory");
  restore();
  world.fate = () => "lost";
  visit(tab);
  await until(async () => [...(await browser.rows()).keys()].some((name) => name.startsWith("op:")));
  tab.kill();
  world.fate = () => "ok";
  const next = browser.tab();
  await awake([next]);
  await until(() => next.session.value("visits") === 1);
});

test("a wipe that finds nothing is done, and takes nothing that is written after it", async () => {
  const { world, browser } = open();
  world.fate = () => "lost";
  const tab = browser.tab();
  const stored = async () => [...(await browser.rows()).keys()].filter((name) => name.startsWith("op:")).length;
  await tab.session.invalidate().catch(() => undefined);
  for (let count = 1; count <= 3; count++) {
    visit(tab);
    await until(async () => (await stored()) === count);
  }
});

test("what a page puts aside while a wipe waits for the disk is the next page's", async () => {
  const { browser } = open();
  const tab = browser.tab({ surroundings: { indexedDB: useless.hanging() } });
  await awake([tab]);
  await tab.session.invalidate();
  tab.session.setValue("pin", "1234");
  tab.session.setValue("note", "later");
  tab.page.leave();
  tab.kill();
  const next = browser.tab();
  await awake([next]);
  await until(() => next.session.value("note", "") === "later");
});
