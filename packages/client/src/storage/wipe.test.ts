import { IDBFactory } from "fake-indexeddb";
import { expect, test } from "vitest";
import { openedLate } from "../../test/disks.ts";
import { type Browser, createWorld, open, type Tab, until } from "../../test/world.ts";

/** What a page without a session is rendered with. */
const blank = { identifier: null, rev: 0, entries: {}, decided: {}, facts: null };

const onDisk = async (browser: Browser) => JSON.stringify([...(await browser.rows())]);

async function signedIn(browser: Browser) {
  const tab = browser.tab();
  tab.session.setValue("note", "private-note");
  await tab.session.awake();
  await tab.session.sleep();
  return tab;
}

/** A tab is killed with a change that the disk alone has. */
async function diedUnsent(world: ReturnType<typeof createWorld>, browser: Browser): Promise<void> {
  const tab = await signedIn(browser);
  world.fate = () => "lost";
  tab.session.setValue("note", "unsent-note");
  await until(async () => (await onDisk(browser)).includes("unsent-note"));
  tab.kill();
  world.fate = () => "ok";
}

test("invalidate wipes memory and disk of every tab, and ends the session on the server", async () => {
  const { browser } = open();
  const a = await signedIn(browser);
  const b = browser.tab();
  await b.session.awake();
  const identifier = a.session.identifier();
  const done = a.session.invalidate();
  expect(a.session.hasValue("note")).toBe(false);
  await done;
  await until(() => !b.session.hasValue("note"));
  await until(async () => !(await onDisk(browser)).includes("private-note"));
  expect((await browser.server()).identifier).toBeNull();
  a.session.setValue("note", "anew");
  await a.session.sleep();
  expect(a.session.identifier()).not.toBe(identifier);
});

test("an invalidate that the server did not hear of is told later, and the session never comes back", async () => {
  const { world, browser } = open();
  const a = await signedIn(browser);
  world.fate = () => "lost";
  await expect(a.session.invalidate()).rejects.toMatchObject({ code: "UNREACHABLE" });
  a.kill();
  const b = browser.tab();
  await b.session.awake();
  expect(b.session.hasValue("note")).toBe(false);
  world.fate = (path) => (path === "session.invalidate" ? "lost" : "ok");
  await b.session.awake();
  expect(b.session.hasValue("note")).toBe(false);
  world.fate = () => "ok";
  await b.session.awake();
  expect(b.session.hasValue("note")).toBe(false);
  expect((await browser.server()).identifier).toBeNull();
  expect(b.session.status().state).toBe("synced");
});

test("what a logout has left on disk, since its tab died, is not shown, and deleted", async () => {
  const { world, browser } = open();
  const a = await signedIn(browser);
  a.kill();
  // The tab died right after it began the next epoch.
  const { name, identifier } = browser.epoch();
  const past = [name, String(identifier)];
  browser.agree({ name: "n".repeat(43), identifier: null, past, quiet: past });
  world.fate = () => "lost";
  const b = browser.tab();
  const shown: unknown[] = [];
  b.session.subscribe(null, () => shown.push(...Object.values(b.session.values())));
  await b.session.awake();
  expect(shown).toEqual([]);
  await until(async () => !(await onDisk(browser)).includes("private-note"));
});

test("a page back from the bfcache forgets what was wiped meanwhile before it shows anything", async () => {
  const { browser } = open();
  const a = await signedIn(browser);
  const b = browser.tab({ surroundings: { channel: undefined } });
  await b.session.awake();
  expect(b.session.value("note")).toBe("private-note");
  await a.session.invalidate();
  expect(b.session.hasValue("note")).toBe(true);
  b.page.fire("pageshow");
  expect(b.session.hasValue("note")).toBe(false);
});

test("an expired session hands what was not sent to the app, and starts empty", async () => {
  let now = Date.now();
  const { browser } = open(createWorld({ timeout: 60, clock: () => now }));
  const a = await signedIn(browser);
  const identifier = a.session.identifier();
  now += 120_000;
  a.session.setValue("theme", "dark");
  await expect(a.session.sleep()).rejects.toMatchObject({ code: "SESSION_EXPIRED" });
  expect(a.expired).toEqual([{ code: "SESSION_EXPIRED", unsent: [{ key: "theme", value: "dark" }] }]);
  expect(a.session.status().state).toBe("expired");
  expect([...a.session]).toEqual([]);
  expect(a.session.isExpired()).toBe(true);
  await until(async () => !(await onDisk(browser)).includes("private-note"));
  a.session.setValue("note", "anew");
  await a.session.sleep();
  expect(a.session.identifier()).not.toBe(identifier);
  expect((await browser.server()).entries).toEqual({ note: { value: '"anew"', rev: expect.any(Number) } });
  expect(a.session.status().state).toBe("synced");
  // Somebody else may sit here by now.
  await until(async () => !(await onDisk(browser)).includes(identifier));
  expect(a.expired).toHaveLength(1);
});

test("a page of another session hands over what the disk still holds of the one before, and keeps nothing of it", async () => {
  const { world, browser } = open();
  await diedUnsent(world, browser);
  // A form has logged its user out, and somebody else in.
  const other = world.browser();
  await signedIn(other);
  browser.jar.cookie = other.jar.cookie;
  const grace = browser.tab({ initialSnapshot: await other.server() });
  await grace.session.awake();
  await until(() => grace.expired.length > 0);
  expect(grace.expired).toEqual([{ code: "SESSION_REPLACED", unsent: [{ key: "note", value: "unsent-note" }] }]);
  await until(async () => !(await onDisk(browser)).includes("unsent-note"));
  expect(grace.session.value("note")).toBe("private-note");
  expect((await other.server()).entries).toEqual((await browser.server()).entries);
});

test("what waited for a session that has expired reaches no later one, and none gets its identifier again", async () => {
  let now = Date.now();
  const { world, browser } = open(createWorld({ timeout: 60, clock: () => now }));
  const a = await signedIn(browser);
  const identifier = a.session.identifier();
  now += 120_000;
  a.session.setValue("note", "unsent-note");
  await expect(a.session.sleep()).rejects.toMatchObject({ code: "SESSION_EXPIRED" });
  await until(async () => !(await onDisk(browser)).includes("unsent-note"));
  a.kill();
  await world.sessions.sweep();

  for (const theme of ["light", "dark"] as const) {
    const tab = browser.tab();
    await tab.session.awake();
    tab.session.setValue("theme", theme);
    await tab.session.sleep();
    expect(tab.session.identifier()).not.toBe(identifier);
    expect((await browser.server()).entries).not.toHaveProperty("note");
    expect([...tab.session]).toEqual([["theme", theme]]);
    tab.kill();
  }
});

test("what waits for a session that the server has ended reaches no other that a page without one begins", async () => {
  const { world, browser } = open();
  const a = await signedIn(browser);
  const identifier = a.session.identifier();
  world.fate = () => "lost";
  a.session.setValue("note", "waiting-note");
  await until(async () => (await onDisk(browser)).includes("waiting-note"));
  a.kill();
  // A form that logs out and comes back with a page for nobody.
  world.fate = () => "ok";
  await world.sessions.revoke(identifier);
  browser.jar.cookie = "";
  const b = browser.tab({ initialSnapshot: blank });
  await b.session.awake();
  b.session.setValue("theme", "dark");
  await b.session.sleep();
  expect(b.session.identifier()).not.toBe(identifier);
  expect((await browser.server()).entries).toEqual({ theme: { value: '"dark"', rev: 1 } });
});

test("a first push that was not answered for a minute goes out as another browser's first, for it may have begun a session that has ended", async () => {
  const { world, browser } = open();
  let later = 0;
  const { session } = browser.tab({ surroundings: { now: () => Date.now() + later } });
  await session.awake();
  world.fate = () => "lost";
  session.setValue("note", "x");
  const nonces = [];
  for (later of [0, 50_000, 61_000, 70_000]) {
    await session.sleep().catch(() => undefined);
    nonces.push(/"nonce":"([^"]+)"/.exec(world.requests.at(-1)?.body ?? "")?.[1]);
  }
  const [first, second, third, fourth] = nonces;
  expect(first).toBe(second);
  expect(third).not.toBe(second);
  expect(third).toBe(fourth);
  const other = browser.tab();
  other.session.setValue("theme", "dark");
  world.fate = () => "ok";
  await Promise.all([session.sleep(), other.session.sleep()]);
  expect(other.session.identifier()).toBe(session.identifier());
});

test("the tabs of an expired session begin the next one together", async () => {
  let now = Date.now();
  const { world, browser } = open(createWorld({ timeout: 60, clock: () => now }));
  const a = await signedIn(browser);
  const b = browser.tab();
  await b.session.awake();
  now += 120_000;
  await Promise.all([a, b].map(({ session }) => session.awake()));
  for (const { expired } of [a, b]) expect(expired).toEqual([{ code: "SESSION_EXPIRED", unsent: [] }]);
  await world.sessions.sweep();
  await beginTogether(browser, [a, b, browser.tab()], "3");
});

test("what a tab that has closed meanwhile leaves of a session that expires is told as left by an expiry", async () => {
  let now = Date.now();
  const { world, browser } = open(createWorld({ timeout: 60, clock: () => now }));
  const [a, b] = [await signedIn(browser), browser.tab()];
  await b.session.awake();
  world.fate = () => "lost";
  a.session.setValue("theme", "dark");
  b.session.setValue("note", "unsent-note");
  await until(async () => b.session.value("theme") === "dark" && (await onDisk(browser)).includes("unsent-note"));
  a.kill();
  now += 120_000;
  world.fate = () => "ok";
  await b.session.awake();
  // The next one of these reads what the dead tab has left.
  b.session.setValue("note", "of the next session");
  await b.session.sleep();
  expect(b.expired).toEqual([
    { code: "SESSION_EXPIRED", unsent: [{ key: "note", value: "unsent-note" }] },
    { code: "SESSION_EXPIRED", unsent: [{ key: "theme", value: "dark" }] },
  ]);
});

test("what is found of an earlier session than the one that expired last is not told as left by an expiry", async () => {
  const { world, browser } = open();
  await diedUnsent(world, browser);
  const { name, identifier } = browser.epoch();
  const past = [name, identifier ?? "", "the one that expired"];
  browser.agree({ name: "the one after", identifier: null, past, ended: "SESSION_EXPIRED" });
  const next = browser.tab();
  await next.session.awake();
  expect(next.expired).toEqual([{ code: "SESSION_REPLACED", unsent: [{ key: "note", value: "unsent-note" }] }]);
});

test("each tab hears that the server has ended the session, whatever it had written, and none is offline for it", async () => {
  const { world, browser } = open();
  const a = await signedIn(browser);
  const b = browser.tab();
  await b.session.awake();
  const states: string[] = [];
  for (const { session } of [a, b]) session.subscribeStatus(() => void states.push(session.status().state));
  await world.sessions.revoke(a.session.identifier());
  await a.session.awake();
  await until(() => b.expired.length > 0 && [a, b].every(({ session }) => session.status().state === "synced"));
  for (const { expired } of [a, b]) expect(expired).toEqual([{ code: "SESSION_GONE", unsent: [] }]);
  expect(states).not.toContain("offline");
});

test("what a tab wrote for a session that it had not met, and that has ended, is handed to its app, and the tab begins the next one with the others", async () => {
  const { world, browser } = open();
  const late = browser.tab({ surroundings: deaf });
  await late.session.awake();
  world.fate = () => "lost";
  late.session.setValue("note", "late-note");
  await expect(late.session.sleep()).rejects.toMatchObject({ code: "UNREACHABLE" });
  // A sibling begins the browser's session meanwhile, and the server ends it.
  world.fate = () => "ok";
  const sibling = browser.tab();
  sibling.session.setValue("theme", "dark");
  await sibling.session.awake();
  await sibling.session.sleep();
  const first = sibling.session.identifier();
  await world.sessions.revoke(first);

  await expect(late.session.sleep()).rejects.toMatchObject({ code: "SESSION_GONE" });
  expect(late.expired).toEqual([{ code: "SESSION_GONE", unsent: [{ key: "note", value: "late-note" }] }]);
  late.session.setValue("note", "anew");
  await late.session.sleep();
  expect(late.session.identifier()).not.toBe(first);
  await sibling.session.awake();
  expect(sibling.session.identifier()).toBe(late.session.identifier());
});

test("a first push that comes after its session was wiped does not revive it, though no cookie tells of it", async () => {
  const { world, browser } = open();
  const late = browser.tab({ surroundings: deaf });
  await late.session.awake();
  world.fate = () => "lost";
  late.session.setValue("note", "late-note");
  await expect(late.session.sleep()).rejects.toMatchObject({ code: "UNREACHABLE" });
  world.fate = () => "ok";
  const sibling = browser.tab();
  sibling.session.setValue("theme", "dark");
  await sibling.session.awake();
  await sibling.session.sleep();
  const first = sibling.session.identifier();
  await world.sessions.revoke(first);
  await sibling.session.awake();
  expect(sibling.expired).toEqual([{ code: "SESSION_GONE", unsent: [] }]);
  sibling.session.setValue("theme", "light");

  browser.jar.cookie = "";
  await expect(late.session.sleep()).rejects.toMatchObject({ code: "SESSION_GONE" });
  expect(late.expired).toEqual([{ code: "SESSION_GONE", unsent: [{ key: "note", value: "late-note" }] }]);
  await late.session.awake();
  expect((await browser.server()).identifier).not.toBe(first);
  expect(await onDisk(browser)).not.toContain("late-note");
  await beginTogether(browser, [late, sibling]);
  expect(sibling.session.value("theme")).toBe("light");
});

test("what a page deletes in the moment in which it puts its session's values away is deleted", async () => {
  const { browser } = open();
  await signedIn(browser);
  let later = 0;
  const { session, page } = browser.tab({ surroundings: { now: () => Date.now() + later } });
  await session.awake();
  page.hide();
  later = 7_200_000;
  session.delValue("note");
  await session.sleep();
  expect((await browser.server()).entries).not.toHaveProperty("note");
});

test("an answer that comes after the page has put its session's values away is not taken for all of them", async () => {
  const { world, browser } = open();
  await signedIn(browser);
  let later = 0;
  const { session, page } = browser.tab({ surroundings: { now: () => Date.now() + later } });
  await session.awake();
  const release = world.hold();
  session.setValue("theme", "dark");
  const slept = session.sleep();
  await until(() => world.requests.at(-1)?.body.includes("dark") === true);
  // Its clock was put forward: the page believes that the session has expired, until the server has told otherwise.
  later = 7_200_000;
  page.fire("pageshow");
  expect(session.hasValue("note")).toBe(false);
  release();
  await slept;
  expect(Object.fromEntries(session)).toEqual({ note: "private-note", theme: "dark" });
});

test("when the browser holds another session now, the old ops are handed out and never sent under it", async () => {
  const { world, browser } = open();
  const a = await signedIn(browser);
  // Somebody else signs in beside this tab: the cookie changes under it.
  const other = world.browser();
  const b = other.tab();
  b.session.setValue("theme", "dark");
  await b.session.awake();
  await b.session.sleep();
  browser.jar.cookie = other.jar.cookie;
  a.session.setValue("note", "not yours");
  await expect(a.session.sleep()).rejects.toMatchObject({ code: "SESSION_REPLACED" });
  expect(a.expired).toEqual([{ code: "SESSION_REPLACED", unsent: [{ key: "note", value: "not yours" }] }]);
  await until(() => a.session.value("theme") === "dark");
  expect(a.session.identifier()).toBe(b.session.identifier());
  expect(a.session.hasValue("note")).toBe(false);
  expect(JSON.stringify((await other.server()).entries)).not.toContain("not yours");
  await until(async () => !/private-note|not yours/.test(await onDisk(browser)));
});

test("an answer that comes after the session was ended here shows nothing and stores nothing", async () => {
  const { world, browser } = open();
  const a = await signedIn(browser);
  const release = world.hold();
  a.session.setValue("theme", "dark");
  const late = a.session.sleep().catch(() => undefined);
  await until(() => world.requests.at(-1)?.body.includes("dark") === true);
  const shown: unknown[] = [];
  const ended = a.session.invalidate();
  a.session.subscribe(null, () => shown.push(...a.session));
  release();
  await Promise.all([late, ended]);
  expect(shown).toEqual([]);
  expect([...a.session]).toEqual([]);
  await until(async () => !/private-note|dark/.test(await onDisk(browser)));
  expect((await browser.server()).identifier).toBeNull();
});

test("a page that was rendered without a session does not show what the disk holds of one", async () => {
  const { world, browser } = open();
  (await signedIn(browser)).kill();
  world.fate = () => "lost";
  const { session } = browser.tab({
    initialSnapshot: blank,
  });
  await session.awake();
  expect([...session]).toEqual([]);
});

test("what a browser without a cookie has on disk of a session stays until another is named, and goes home when that one comes back", async () => {
  const { world, browser } = open();
  const a = await signedIn(browser);
  world.fate = () => "lost";
  a.session.setValue("theme", "dark");
  await until(async () => (await onDisk(browser)).includes("dark"));
  a.kill();
  world.fate = () => "ok";
  const { cookie } = browser.jar;
  browser.jar.cookie = "";
  const without = browser.tab({ initialSnapshot: blank });
  await without.session.awake();
  expect(without.expired).toEqual([]);
  without.kill();
  browser.jar.cookie = cookie;
  await browser.tab().session.awake();
  expect((await browser.server()).entries).toMatchObject({ theme: { value: '"dark"' } });
});

test("invalidate before the first answer ends the session that the answer makes", async () => {
  const { world, browser } = open();
  const { session } = browser.tab();
  await session.awake();
  const release = world.hold();
  session.setValue("note", "private-note");
  const first = session.sleep().catch(() => undefined);
  await until(() => world.requests.at(-1)?.body.includes("private-note") === true);
  const ended = session.invalidate();
  release();
  await Promise.all([first, ended]);
  expect((await browser.server()).identifier).toBeNull();
  await session.awake();
  expect(session.hasValue("note")).toBe(false);
  expect(await onDisk(browser)).not.toContain("private-note");
});

test("invalidate in a tab that never awoke ends a session that was just made, however slowly the server answers", async () => {
  const { world, browser } = open();
  await signedIn(browser);
  let late = 0;
  const asleep = browser.tab({ surroundings: { now: () => Date.now() + late } });
  world.fate = () => {
    late = 60_000;
    return "ok";
  };
  await asleep.session.invalidate();
  expect(asleep.session.hasValue("note")).toBe(false);
  expect((await browser.server()).identifier).toBeNull();
});

test("invalidate before there is a session reaches a tab that is asleep, too", async () => {
  const { browser } = open();
  const asleep = browser.tab();
  asleep.session.setValue("note", "private-note");
  await until(async () => (await onDisk(browser)).includes("private-note"));
  const other = browser.tab();
  await other.session.awake();
  await other.session.invalidate();
  asleep.session.setValue("theme", "dark");
  expect(asleep.session.hasValue("note")).toBe(false);
  await asleep.session.awake();
  await asleep.session.sleep();
  expect((await browser.server()).entries).not.toHaveProperty("note");
  expect(asleep.session.value("theme")).toBe("dark");
});

test("invalidate in a tab that never awoke ends the session that the browser has, in its awake tabs, too", async () => {
  const { world, browser } = open();
  const awake = await signedIn(browser);
  const asleep = browser.tab();
  await asleep.session.invalidate();
  await until(() => !awake.session.hasValue("note"));
  await until(async () => !(await onDisk(browser)).includes("private-note"));
  expect((await browser.server()).identifier).toBeNull();

  // Nor does it need the disk for that, or the server at once.
  const again = await signedIn(browser);
  world.fate = () => "lost";
  const offline = browser.tab();
  await expect(offline.session.invalidate()).rejects.toMatchObject({ code: "UNREACHABLE" });
  again.kill();
  world.fate = () => "ok";
  await offline.session.awake();
  expect(offline.session.hasValue("note")).toBe(false);
  expect((await browser.server()).identifier).toBeNull();

  const evicted = await signedIn(browser);
  evicted.kill();
  await browser.tab({ surroundings: { indexedDB: undefined } }).session.invalidate();
  expect((await browser.server()).identifier).toBeNull();
});

test("a session that the tab which ends it could not name is not shown again, and ends when the server is back", async () => {
  const { world, browser } = open();
  const sibling = await signedIn(browser);
  const unknowing = browser.tab({ surroundings: { indexedDB: undefined } });
  world.fate = () => "lost";
  await expect(unknowing.session.invalidate()).rejects.toMatchObject({ code: "UNREACHABLE" });
  unknowing.kill();
  await until(() => !sibling.session.hasValue("note"));
  sibling.kill();
  world.fate = (path) => (path === "session.invalidate" ? "lost" : "ok");
  const next = browser.tab();
  await next.session.awake();
  expect(next.session.hasValue("note")).toBe(false);
  world.fate = () => "ok";
  await next.session.awake();
  expect(next.session.hasValue("note")).toBe(false);
  expect((await browser.server()).identifier).toBeNull();
});

test("a session that was made after one was ended without a name is not ended for it", async () => {
  let passed = 0;
  const { world, browser } = open(createWorld({ clock: () => Date.now() + passed }));
  (await signedIn(browser)).kill();
  browser.jar.cookie = "";
  world.fate = () => "lost";
  const surroundings = { now: () => Date.now() + passed, indexedDB: undefined };
  const { session } = browser.tab({ surroundings });
  await expect(session.invalidate()).rejects.toMatchObject({ code: "UNREACHABLE" });
  passed = 60_000;
  world.fate = () => "ok";
  // Beside this tab, as by a form that logs in.
  const other = world.browser();
  const anew = await signedIn(other);
  browser.jar.cookie = other.jar.cookie;
  await session.awake();
  expect(session.identifier()).toBe(anew.session.identifier());
  expect(session.value("note")).toBe("private-note");
});

test("a session that was revoked takes nothing with it that a tab without one has sent meanwhile", async () => {
  const { world, browser } = open();
  const a = await signedIn(browser);
  await world.sessions.revoke(a.session.identifier());
  browser.jar.cookie = "";
  const b = browser.tab({ initialSnapshot: blank });
  await b.session.awake();
  const release = world.hold();
  b.session.setValue("theme", "dark");
  const first = b.session.sleep();
  await until(() => world.requests.at(-1)?.body.includes("dark") === true);
  const found = a.session.awake();
  release();
  await Promise.all([first, found]);
  await until(() => a.session.hasValue("theme"));
  expect(a.session.identifier()).toBe(b.session.identifier());
  expect((await browser.server()).entries).toMatchObject({ theme: { value: '"dark"' } });
  expect(b.session.value("theme")).toBe("dark");
});

/** A tab that no other can tell anything. */
const deaf = { channel: undefined };

test("a tab that could not hear of a logout forgets before its next write, which is the next session's", async () => {
  const { browser } = open();
  const a = await signedIn(browser);
  const { session } = browser.tab({ surroundings: deaf });
  await session.awake();
  expect(session.value("note")).toBe("private-note");
  const identifier = session.identifier();
  await a.session.invalidate();
  session.setValue("theme", "dark");
  expect([session.hasValue("note"), session.value("theme")]).toEqual([false, "dark"]);
  await session.sleep();
  expect(session.identifier()).not.toBe(identifier);
});

test("a tab that could not hear of a logout forgets before its next request, and sends nothing of the session", async () => {
  const { world, browser } = open();
  const a = await signedIn(browser);
  const { session } = browser.tab({ surroundings: deaf });
  await session.awake();
  world.fate = () => "lost";
  session.setValue("theme", "dark");
  await session.sleep().catch(() => undefined);
  world.fate = () => "ok";
  await a.session.invalidate();
  // The next user is there already.
  a.session.setValue("note", "of the next user");
  await a.session.sleep();
  const asked = world.requests.length;
  await expect(session.sleep()).rejects.toMatchObject({ code: "SESSION_GONE" });
  expect([session.value("note"), session.hasValue("theme")]).toEqual(["of the next user", false]);
  expect(JSON.stringify(world.requests.slice(asked))).not.toContain("dark");
});

test("a change that was made, without a session, as a sibling logged out never reaches the next user's session", async () => {
  const { world, browser } = open();
  const late = browser.tab({ surroundings: deaf });
  await late.session.awake();
  world.fate = () => "lost";
  late.session.setValue("theme", "dark");
  await late.session.sleep().catch(() => undefined);
  world.fate = () => "ok";
  const sibling = browser.tab();
  await sibling.session.awake();
  await sibling.session.invalidate();
  sibling.session.setValue("note", "of the next user");
  await sibling.session.sleep();
  await late.session.sleep().catch(() => undefined);
  await late.session.awake();
  expect((await browser.server()).entries).not.toHaveProperty("theme");
  expect([late.session.value("note"), late.session.hasValue("theme")]).toEqual(["of the next user", false]);
});

test("a tab that could not hear of a wipe takes in no answer to what it sent before", async () => {
  const { world, browser } = open();
  const { session } = browser.tab({ surroundings: deaf });
  await session.awake();
  const release = world.hold();
  session.setValue("note", "private-note");
  const first = session.sleep().catch(() => undefined);
  await until(() => world.requests.at(-1)?.body.includes("private-note") === true);
  const ended = browser.tab().session.invalidate();
  const shown: unknown[] = [];
  session.subscribe("note", () => shown.push(session.hasValue("note")));
  release();
  await Promise.all([first, ended]);
  expect(shown).toEqual([false]);
  await until(async () => (await browser.server()).identifier === null);
});

test("what comes to the disk after a wipe is neither shown nor makes the browser two", async () => {
  const { world, browser } = open();
  const a = await signedIn(browser);
  const before = await browser.rows();
  await a.session.invalidate();
  await until(async () => !(await onDisk(browser)).includes("private-note"));
  // By a tab that did not live to hear of it.
  await browser.put(before);
  world.fate = () => "lost";
  const next = browser.tab();
  const shown: unknown[] = [];
  next.session.subscribe("note", () => shown.push(next.session.hasValue("note")));
  await next.session.awake();
  expect(shown).toEqual([]);
  await until(async () => !(await onDisk(browser)).includes("private-note"));
  world.fate = () => "ok";
  await beginTogether(browser, [a, next]);
});

test("a tab that hears of a wipe while it reads the disk reads it again, and is of the same profile as the others", async () => {
  const { world, browser } = open();
  const a = await signedIn(browser);
  const late = openedLate(browser);
  const b = browser.tab({ surroundings: { indexedDB: late.indexedDB } });
  const awake = b.session.awake();
  await a.session.invalidate();
  // Its first patience is over when the disk answers; the second is not.
  setTimeout(() => late.release(), 200);
  await awake;
  const profiles = world.requests.map(({ body }) => /"profile":"([^"]+)"/.exec(body)?.[1]).filter(Boolean);
  expect(new Set(profiles).size).toBe(1);
});

test("a wipe that waits for the disk does nothing to a session that was made when another tab had finished it", async () => {
  const { browser } = open();
  const a = await signedIn(browser);
  const late = openedLate(browser);
  const waiting = browser.tab({ surroundings: { indexedDB: late.indexedDB } });
  const ended = waiting.session.invalidate();
  await a.session.awake();
  await ended;
  a.session.setValue("note", "private-note");
  await a.session.sleep();
  const identifier = a.session.identifier();
  await until(async () => (await onDisk(browser)).includes("private-note"));
  late.release();
  await waiting.session.awake();
  expect(waiting.session.value("note")).toBe("private-note");
  expect(await onDisk(browser)).toContain("private-note");
  expect((await browser.server()).identifier).toBe(identifier);
});

test("a page that ends sends and keeps nothing of what was wiped unheard", async () => {
  const { world, browser } = open();
  const a = await signedIn(browser);
  const { session, page } = browser.tab({ surroundings: deaf });
  await session.awake();
  world.fate = () => "lost";
  session.setValue("note", "late note");
  await session.sleep().catch(() => undefined);
  world.fate = () => "ok";
  await a.session.invalidate();
  const asked = world.requests.length;
  page.fire("pagehide");
  expect(JSON.stringify(world.requests.slice(asked))).not.toContain("late note");
  expect(JSON.stringify([...browser.marks])).not.toContain("late note");
});

test("a first push that a wipe has overtaken, and that met another session, does not end that one", async () => {
  const { world, browser } = open();
  const other = world.browser();
  const { session: second } = await signedIn(other);
  const b = browser.tab({ surroundings: deaf });
  await b.session.awake();
  const a = await signedIn(browser);
  const release = world.hold();
  b.session.setValue("note", "first note");
  const first = b.session.sleep().catch(() => undefined);
  await until(() => world.requests.at(-1)?.body.includes("first note") === true);
  const ended = a.session.invalidate();
  browser.jar.cookie = other.jar.cookie;
  release();
  await Promise.all([first, ended]);
  await b.session.awake();
  expect(b.session.identifier()).toBe(second.identifier());
  expect((await other.server()).identifier).toBe(second.identifier());
});

/** Two tabs that write at once, without a session, are one session. */
async function beginTogether(browser: Browser, tabs: readonly Tab[], visits = "2") {
  for (const { session } of tabs) session.update("visits", (n) => n + 1);
  await Promise.all(tabs.map(({ session }) => session.sleep()));
  expect(tabs.flatMap(({ expired }) => expired).filter(({ code }) => code === "SESSION_REPLACED")).toEqual([]);
  expect(new Set(tabs.map(({ session }) => session.identifier())).size).toBe(1);
  expect((await browser.server()).entries).toMatchObject({ visits: { value: visits } });
}

const diskless = { indexedDB: undefined };
for (const [how, first, second] of [
  ["with a disk", {}, {}],
  ["without a disk", diskless, diskless],
  ["without a disk in one of them", {}, diskless],
  ["without a disk, and deaf", { ...diskless, ...deaf }, { ...diskless, ...deaf }],
] as const) {
  test(`${how}, tabs that end the session at once, or find it ended, begin the next one together`, async () => {
    const { world, browser } = open();
    const a = browser.tab({ surroundings: first });
    a.session.setValue("note", "private-note");
    await a.session.awake();
    await a.session.sleep();
    const b = browser.tab({ surroundings: second });
    await b.session.awake();
    await Promise.all([a.session.invalidate(), b.session.invalidate()]);
    await beginTogether(browser, [a, b]);
    await world.sessions.revoke(a.session.identifier());
    await Promise.all([a.session.awake(), b.session.awake()]);
    await beginTogether(browser, [a, b]);
  });
}

test("a tab that knew nothing of a session that was revoked begins the next one together with those that did", async () => {
  const { world, browser } = open();
  const a = await signedIn(browser);
  world.fate = () => "lost";
  const b = browser.tab({ surroundings: { ...deaf, indexedDB: new IDBFactory() } });
  await b.session.awake();
  world.fate = () => "ok";
  await world.sessions.revoke(a.session.identifier());
  await a.session.awake();
  await beginTogether(browser, [a, b]);
});

test("a page from before a logout, shown again, does not show what was rendered into it", async () => {
  const { world, browser } = open();
  const a = await signedIn(browser);
  const { identifier, rev, entries, decided, facts } = await browser.server();
  await a.session.invalidate();
  world.fate = () => "lost";
  const { session } = browser.tab({ initialSnapshot: { identifier, rev, entries, decided, facts } });
  expect(session.hasValue("note")).toBe(false);
  await session.awake();
  expect(session.hasValue("note")).toBe(false);
});

test("a page that comes back after its session's time shows what it has not sent, and the rest once the server agrees", async () => {
  const { world, browser } = open();
  let passed = 0;
  const surroundings = { now: () => Date.now() + passed };
  const a = browser.tab({ surroundings });
  a.session.setValue("note", "private-note");
  await a.session.awake();
  await a.session.sleep();
  world.fate = () => "lost";
  a.session.setValue("theme", "dark");
  passed = 2 * 3_600_000;
  for (const { session } of [a, browser.tab({ surroundings })]) {
    await session.awake();
    expect([session.hasValue("note"), session.value("theme")]).toEqual([false, "dark"]);
  }
  world.fate = () => "ok";
  await a.session.awake();
  expect(a.session.value("note")).toBe("private-note");
});

test("what a page wrote before there was a session, and a logout has ended since, is neither shown nor sent", async () => {
  const { world, browser } = open();
  world.fate = () => "lost";
  const first = browser.tab();
  first.session.setValue("note", "private-note");
  await until(async () => (await onDisk(browser)).includes("private-note"));
  first.kill();
  // The tab that logged out died before it had deleted anything.
  const { name } = browser.epoch();
  browser.agree({ name: "n".repeat(43), past: [name], quiet: [name] });
  world.fate = () => "ok";
  const { session, expired } = browser.tab();
  await session.awake();
  await session.sleep();
  expect([session.hasValue("note"), expired, world.requests.some(({ body }) => body.includes("private-note"))]).toEqual(
    [false, [], false],
  );
  await until(async () => !(await onDisk(browser)).includes("private-note"));
});

test("a snapshot that waited for the disk while its session was ended does not get there", async () => {
  const { browser } = open();
  const a = await signedIn(browser);
  const late = openedLate(browser);
  const b = browser.tab({ surroundings: { indexedDB: late.indexedDB, channel: undefined } });
  await b.session.awake();
  expect(b.session.value("note")).toBe("private-note");
  await a.session.invalidate();
  await until(async () => !(await onDisk(browser)).includes("private-note"));
  late.release();
  await until(() => b.session.status().storage === "disk");
  expect(await onDisk(browser)).not.toContain("private-note");
});

test("a logout in a session that was closed is told to the server again, when it can be reached", async () => {
  const { world, browser } = open();
  const { session } = await signedIn(browser);
  session.close();
  world.fate = () => "lost";
  await expect(session.invalidate()).rejects.toMatchObject({ code: "UNREACHABLE" });
  world.fate = () => "ok";
  await until(async () => (await browser.server()).identifier === null);
});

test.each(["disk", "journal"])(
  "what a dead page left on the %s is given to the app with the end of its session, and why",
  async (where) => {
    const { world, browser } = open();
    const surroundings = where === "disk" ? {} : { indexedDB: undefined };
    const dead = browser.tab({ surroundings });
    dead.session.setValue("theme", "dark");
    await dead.session.awake();
    await dead.session.sleep();
    world.fate = () => "lost";
    dead.session.setValue("note", "unsent");
    dead.page.leave();
    if (where === "disk")
      await until(async () => [...(await browser.rows()).keys()].some((name) => name.startsWith("op:")));
    dead.kill();
    world.fate = () => "ok";
    await world.sessions.revoke(dead.session.identifier());
    const next = browser.tab({ surroundings });
    await next.session.awake();
    await until(() => next.expired.length > 0);
    expect(next.expired).toEqual([{ code: "SESSION_GONE", unsent: [{ key: "note", value: "unsent" }] }]);
  },
);
