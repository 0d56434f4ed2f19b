import { expect, test } from "vitest";
import { type Browser, createWorld, open, type Shop, shop, storageOn, type Tab, until } from "../test/world.ts";

/** A browser with a session that lives for a minute, and the time as it and the server have it. */
async function visited() {
  const time = { now: Date.now() };
  const { world, browser } = open(createWorld({ timeout: 60, clock: () => time.now }));
  const tab = () => browser.tab({ surroundings: { now: () => time.now } });
  const first = tab();
  first.session.setValue("draft", "Dear Ada");
  first.session.setValue("basket", ["milk"]);
  first.session.setValue("laps", 5);
  first.session.setValue("note", "private");
  await first.session.sleep();
  await first.session.awake();
  await until(() => first.session.status().storage === "disk");
  return { time, world, browser, tab, first, identifier: first.session.identifier() };
}

const adopted = { draft: "Dear Ada", basket: ["milk"], laps: 5 };

/** What the server holds of it, decoded. */
async function held(browser: Browser): Promise<Record<string, unknown>> {
  const { entries } = await browser.server();
  return Object.fromEntries(Object.entries(entries).map(([name, { value }]) => [name, JSON.parse(value)]));
}

async function comesBack({ session }: Tab): Promise<void> {
  await session.awake();
  await until(() => session.status().state === "synced");
}

for (const swept of [false, true]) {
  const server = swept ? "a server that has forgotten the session" : "the server";
  test(`away for longer than the timeout, a page shows what it may adopt, and ${server} gets that in a new session`, async () => {
    const { time, world, browser, tab, first, identifier } = await visited();
    first.kill();
    time.now += 3_600_000;
    if (swept) await world.sessions.sweep();
    world.fate = () => "lost";
    const { session, expired } = tab();
    await session.awake();
    expect([{ ...session.values() }, session.status().state]).toEqual([adopted, "unconfirmed"]);
    session.update("basket", (basket) => [...basket, "tea"]);
    session.setValue("note", "unsent");
    expect(session.values()).toEqual({ ...adopted, basket: ["milk", "tea"], note: "unsent" });
    const seen: unknown[] = [];
    session.subscribe("draft", () => seen.push(session.value("draft", null)));
    world.fate = () => "ok";
    await session.awake();
    await until(() => session.status().state === "synced");
    expect(session.identifier()).not.toBe(identifier);
    expect(session.values()).toEqual({ ...adopted, basket: ["milk", "tea"] });
    expect(await held(browser)).toEqual({ ...adopted, basket: ["milk", "tea"] });
    expect(expired).toEqual([{ code: "SESSION_EXPIRED", unsent: [{ key: "note", value: "unsent" }] }]);
    // Nobody saw it flicker.
    expect(seen).toEqual([]);
  });
}

test("tabs that find out in one moment adopt once, with what each of them had not sent", async () => {
  const { time, world, browser, tab, first } = await visited();
  const second = tab();
  await second.session.awake();
  world.fate = () => "lost";
  time.now += 3_600_000;
  for (const [i, { session }] of [first, second].entries()) {
    await session.awake();
    session.update("laps", (laps) => laps + 1);
    session.setValue("note", `unsent ${i}`);
  }
  await until(() => first.session.value("laps") === 7 && second.session.value("laps") === 7);
  world.fate = () => "ok";
  await Promise.all([first, second].map(({ session }) => session.awake()));
  await until(async () => first.session.value("laps") === 7 && second.session.value("laps") === 7);
  await until(() => [first, second].every(({ session }) => session.status().state === "synced"));
  expect(await held(browser)).toEqual({ ...adopted, laps: 7 });
  const unsent = [first, second].flatMap(({ expired }) => expired.flatMap((event) => event.unsent));
  expect(unsent).toEqual([0, 1].map((i) => ({ key: "note", value: `unsent ${i}` })));
});

/** Its keys stand in another order, and drafts are unknown to it. */
const older = {
  ...shop,
  keys: new Map([...shop.keys].filter(([name]) => name !== "draft").reverse()),
  fingerprint: "older",
} as Shop;

test.for([
  ["", shop, 3],
  [", though one is of another version of the app", older, 2],
] as const)("tabs of which neither has seen that the other did adopt once, too%s", async ([, definition, count]) => {
  const { time, world, browser, first } = await visited();
  let copy: Map<string, string> | undefined;
  const second = browser.tab({
    definition,
    surroundings: {
      now: () => time.now,
      channel: undefined,
      // What a process writes to localStorage others see a moment later, and of two texts one is left.
      localStorage: storageOn(() => copy ?? browser.marks),
    },
  });
  await second.session.awake();
  time.now += 3_600_000;
  copy = new Map(browser.marks);
  const tabs = [first, second];
  const answer = world.holdAnswers();
  const asked = world.handled;
  const awake = tabs.map(({ session }) => session.awake());
  await until(() => world.handled === asked + 2);
  const go = world.hold();
  answer();
  await Promise.all(awake);
  await until(() => tabs.every(({ session }, i) => session.status().pending === [3, count][i]));
  copy = undefined;
  go();
  await until(() => tabs.every(({ session }) => session.status().state === "synced"));
  const { draft: _, ...rest } = adopted;
  expect(tabs.map(({ session }) => session.values())).toEqual([adopted, count === 3 ? adopted : rest]);
  expect(await held(browser)).toEqual(adopted);
});

test("what was adopted goes home though somebody asks in the very moment in which the end is told", async () => {
  const { time, browser, first } = await visited();
  time.now += 3_600_000;
  const { session } = first;
  // Whoever asks then shares the round that is about to fail.
  session.onExpired(() => queueMicrotask(() => void session.sleep().catch(() => undefined)));
  await session.awake();
  await until(() => session.status().state === "synced");
  expect(await held(browser)).toEqual(adopted);
});

test("what was adopted survives the page that did", async () => {
  const { time, world, browser, tab, first } = await visited();
  time.now += 3_600_000;
  const before = world.requests.length;
  // The answer that says it has expired arrives, and nothing after it.
  world.fate = () => (world.requests.length > before + 1 ? "lost" : "ok");
  await first.session.awake();
  expect(first.session.values()).toEqual(adopted);
  await until(async () => [...(await browser.rows()).keys()].filter((name) => name.startsWith("op:")).length === 3);
  first.kill();
  world.fate = () => "ok";
  const next = tab();
  await comesBack(next);
  expect(next.session.values()).toEqual(adopted);
  expect(await held(browser)).toEqual(adopted);
});

test("nothing is adopted after a logout, an end by the server, or another's login", async () => {
  for (const end of ["logout", "revoke", "login"]) {
    const { world, browser, tab, first, identifier } = await visited();
    const offline = tab();
    await offline.session.awake();
    if (end === "logout") await first.session.invalidate();
    if (end === "revoke") await world.sessions.revoke(identifier as string);
    if (end === "login") {
      const other = world.browser();
      const { session } = other.tab();
      session.setValue("note", "Bob's");
      await session.sleep();
      browser.jar.cookie = other.jar.cookie;
    }
    await offline.session.awake();
    await until(() => !offline.session.hasValue("draft"));
    await offline.session.awake();
    expect(Object.keys(await held(browser))).toEqual(end === "login" ? ["note"] : []);
  }
});

test("a session that lives on after all is shown whole again", async () => {
  const { time, world, browser, first, identifier } = await visited();
  const other = world.browser();
  other.jar.cookie = browser.jar.cookie;
  const device = other.tab();
  await device.session.awake();
  // Seen from this browser its time is over; the other device has made use of it meanwhile.
  time.now += 50_000;
  await device.session.awake();
  device.session.setValue("theme", "dark");
  await device.session.sleep();
  time.now += 20_000;
  world.fate = () => "lost";
  await first.session.awake();
  expect(first.session.values()).toEqual(adopted);
  world.fate = () => "ok";
  await comesBack(first);
  expect(first.session.values()).toEqual({ ...adopted, note: "private", theme: "dark" });
  expect(first.session.identifier()).toBe(identifier);
});
