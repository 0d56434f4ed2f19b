import type { Push } from "@catnap/shared";
import superjson from "superjson";
import { afterEach, expect, test, vi } from "vitest";
import { open, until } from "../../test/world.ts";

afterEach(() => {
  vi.useRealTimers();
});

const cart = Array.from({ length: 19 }, (_, i) => ({ sku: `sku-${i}`, qty: 1 }));

/** Lets what needs no time happen. */
const settle = async () => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
};

const opRows = (rows: ReadonlyMap<string, unknown>) => [...rows.keys()].filter((name) => name.startsWith("op:"));

test.each(["up", "away"])(
  "a slider that is dragged for 16 seconds on a cart of 500 bytes is at most 100 rows and 64 KB on the wire, with the server %s",
  async (server) => {
    const { world, browser } = open();
    const { session } = browser.tab({ surroundings: { now: () => Date.now() } });
    const sibling = browser.tab();
    await session.awake();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
    session.setValue("cart", cart);
    await session.sleep();
    await sibling.session.awake();
    await vi.advanceTimersByTimeAsync(200);
    const before = world.requests.length;
    if (server === "away") world.fate = () => "lost";
    let most = 0;
    for (let frame = 1; frame <= 960; frame++) {
      session.update("cart", ([first, ...others]) => [{ sku: first?.sku ?? "", qty: frame }, ...others]);
      await vi.advanceTimersByTimeAsync(1000 / 60);
      if (frame % 10 === 0) {
        await settle();
        most = Math.max(most, opRows(await browser.rows()).length);
      }
    }
    await vi.advanceTimersByTimeAsync(200);
    vi.useRealTimers();
    world.fate = () => "ok";
    world.requests.splice(0, server === "away" ? world.requests.length : before);
    await session.sleep();
    await until(() => session.status().pending === 0);
    const bytes = world.requests.reduce((sum, { body }) => sum + Buffer.byteLength(body), 0);
    expect((await browser.server()).entries.cart?.value).toContain('"qty":960');
    expect(most).toBeLessThanOrEqual(100);
    expect(bytes).toBeLessThanOrEqual(64_000);
    expect(sibling.session.value("cart")[0]?.qty).toBe(960);
  },
);

test("a lone change of a merged key is on disk at once, and one that follows at the latest with the next fifth of a second", async () => {
  const { world, browser } = open();
  const { session } = browser.tab();
  const sibling = browser.tab();
  await session.awake();
  await sibling.session.awake();
  world.fate = () => "lost";
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  session.update("visits", (n) => n + 1);
  await settle();
  expect(opRows(await browser.rows())).toHaveLength(1);
  session.update("visits", (n) => n + 1);
  await settle();
  session.update("visits", (n) => n + 1);
  await settle();
  expect([opRows(await browser.rows()).length, sibling.session.value("visits")]).toEqual([1, 1]);
  vi.advanceTimersByTime(200);
  await settle();
  expect([opRows(await browser.rows()).length, sibling.session.value("visits")]).toEqual([2, 3]);
  vi.advanceTimersByTime(200);
  session.update("visits", (n) => n + 1);
  await settle();
  expect(opRows(await browser.rows())).toHaveLength(3);
});

test("a change of a key without a merge waits for nothing, and takes along what waits", async () => {
  const { world, browser } = open();
  const { session } = browser.tab();
  await session.awake();
  world.fate = () => "lost";
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  for (const note of ["a", "b"]) {
    session.update("visits", (n) => n + 1);
    await settle();
    session.setValue("note", note);
    await settle();
    expect(opRows(await browser.rows())).toHaveLength(note === "a" ? 2 : 3);
  }
});

test("a page that ends keeps what waited for its turn on the disk", async () => {
  const { world, browser } = open();
  const first = browser.tab();
  await first.session.awake();
  world.fate = () => "lost";
  for (let i = 0; i < 3; i++) {
    first.session.update("visits", (n) => n + 1);
    await Promise.resolve();
  }
  first.page.leave();
  first.kill();
  const { session } = browser.tab();
  await session.awake();
  expect(session.value("visits")).toBe(3);
});

test("a push carries what waited for its turn on the disk, under the browser's next numbers", async () => {
  const { world, browser } = open();
  const { session } = browser.tab();
  const sibling = browser.tab();
  await session.awake();
  await sibling.session.awake();
  for (let i = 0; i < 3; i++) {
    session.update("visits", (n) => n + 1);
    await Promise.resolve();
  }
  await session.sleep();
  const { ops } = superjson.parse<Push>(world.requests.at(-1)?.body ?? "");
  expect(ops.map(({ value }) => value)).toEqual(["1", "3"]);
  await until(() => sibling.session.value("visits") === 3);
  expect((await browser.server()).entries.visits?.value).toBe("3");
});

test("the first change of a key waits for none of another's: it is on disk at once, though that one is written to all the time", async () => {
  const { world, browser } = open();
  world.fate = () => "lost";
  const { session } = browser.tab();
  await session.awake();
  const ops = async () => [...(await browser.rows()).keys()].filter((name) => name.startsWith("op:")).length;
  session.update("visits", (visits) => visits + 1);
  await until(async () => (await ops()) === 1);
  session.setValue("cart", [{ sku: "pen", qty: 1 }]);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(await ops()).toBe(2);
});
