import { expect, test } from "vitest";
import { type Browser, createWorld, open, until } from "../../test/world.ts";

const onDisk = async (browser: Browser) => JSON.stringify([...(await browser.rows())]);

test("a key with disk false never touches the disk, and is there again after a reload", async () => {
  const { world, browser } = open();
  const first = browser.tab();
  await first.session.awake();
  world.fate = () => "lost";
  first.session.setValue("note", "kept-note");
  first.session.setValue("pin", "canary-4711");
  await until(async () => (await onDisk(browser)).includes("kept-note"));
  expect(await onDisk(browser)).not.toContain("canary");
  world.fate = () => "ok";
  await first.session.sleep();
  await until(async () => (await onDisk(browser)).includes("cache"));
  expect(await onDisk(browser)).toContain("kept-note");
  expect(await onDisk(browser)).not.toContain("canary");
  first.kill();

  const second = browser.tab();
  world.fate = () => "lost";
  await second.session.awake();
  expect([second.session.value("note"), second.session.hasValue("pin")]).toEqual(["kept-note", false]);
  world.fate = () => "ok";
  await second.session.awake();
  expect(second.session.value("pin")).toBe("canary-4711");
  expect((await browser.server()).entries).toMatchObject({ pin: { value: JSON.stringify("canary-4711") } });
  second.session.setValue("note", "kept-later");
  await second.session.sleep();
  await until(async () => (await onDisk(browser)).includes("kept-later"));
  expect(await onDisk(browser)).not.toContain("canary");
});

test("what other tabs show of it comes through memory alone", async () => {
  const { browser } = open();
  const [a, b] = [browser.tab(), browser.tab()];
  await a.session.awake();
  await b.session.awake();
  a.session.setValue("pin", "canary-4711");
  await until(() => b.session.value("pin", null) === "canary-4711");
  await Promise.all([a.session.sleep(), b.session.sleep()]);
  await b.session.awake();
  expect(b.session.value("pin")).toBe("canary-4711");
  expect(await onDisk(browser)).not.toContain("canary");
});

test("a change that is in memory alone is not passed over by what another page finds on disk", async () => {
  const { world, browser } = open();
  const a = browser.tab();
  await a.session.awake();
  a.session.setValue("note", "start");
  await a.session.sleep();
  world.fate = () => "lost";
  a.session.setValue("pin", "1234");
  a.session.setValue("note", "later");
  a.page.leave();
  await until(async () => (await onDisk(browser)).includes("later"));
  world.fate = () => "ok";
  const b = browser.tab();
  await b.session.awake();
  expect((await browser.server()).entries.note?.value).toBe('"later"');
  a.page.document.visibilityState = "visible";
  a.page.fire("pageshow");
  await until(() => a.session.status().state === "synced");
  expect((await browser.server()).entries).toMatchObject({ note: { value: '"later"' }, pin: { value: '"1234"' } });
  await until(() => b.session.value("pin", "") === "1234");
});

test("a page that goes sends what is in memory alone, too", async () => {
  const { world, browser } = open();
  const { session, page, kill } = browser.tab();
  await session.awake();
  session.setValue("note", "start");
  await session.sleep();
  session.setValue("pin", "1234");
  session.setValue("note", "last");
  const before = world.requests.length;
  page.leave();
  kill();
  const sent = world.requests.slice(before);
  expect(sent.map(({ keepalive, body }) => [keepalive, body.includes("1234"), body.includes("last")])).toEqual([
    [true, false, true],
    [true, true, false],
  ]);
  await until(async () => (await browser.server()).entries.pin?.value === '"1234"');
});

test("a page goes on from the numbers of changes that never rested on disk", async () => {
  const world = createWorld();
  const browser = world.browser();
  const first = browser.tab();
  first.session.setValue("note", "x");
  await first.session.awake();
  await first.session.sleep();
  for (let i = 0; i < 20; i++) first.session.setValue("pin", `${i}`);
  world.fate = () => "answer lost";
  await first.session.sleep().catch(() => undefined);
  first.kill();
  world.fate = () => "ok";
  const next = browser.tab();
  await next.session.awake();
  next.session.setValue("pin", "later");
  await next.session.sleep();
  const seqs = world.requests.flatMap(({ body }) => [...body.matchAll(/"seq":(\d+)/g)].map(([, seq]) => Number(seq)));
  expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
  expect((await browser.server()).entries.pin?.value).toBe('"later"');
});
