import { counter, defineSession, merge, type Shape, value } from "@catnap/shared";
import { expect, test } from "vitest";
import { z } from "zod";
import { memoryStore } from "../../../server/src/stores/memory/memory-store.ts";
import { type Browser, createWorld, open, type Shop, shop, until } from "../../test/world.ts";

const opRows = async (browser: Browser) => [...(await browser.rows()).keys()].filter((name) => name.startsWith("op:"));

test("what a page has left of a key that is no more the browser's is refused by the server, and told", async () => {
  const { keys: readonly } = defineSession({ readonly: { note: z.string() } });
  const definition = { ...shop, keys: new Map([...shop.keys, ...readonly]), fingerprint: "another" } as Shop;
  const { world, browser } = open(createWorld({ definition }));
  const a = browser.tab();
  a.session.setValue("theme", "dark");
  await a.session.awake();
  await a.session.sleep();
  world.fate = () => "lost";
  a.session.setValue("note", "x");
  await until(async () => (await opRows(browser)).length === 1);
  a.kill();
  world.fate = () => "ok";
  const b = browser.tab({ definition });
  await b.session.awake();
  expect(b.session.values()).toEqual({ theme: "dark" });
  expect(b.conflicts).toMatchObject([{ key: "note", what: "rejected", code: "FORBIDDEN_KEY" }]);
  await until(async () => (await opRows(browser)).length === 0);
});

test("a cache made under another definition is fetched anew", async () => {
  const { world, browser } = open();
  const a = browser.tab();
  a.session.setValue("note", "x");
  await a.session.awake();
  await a.session.sleep();
  a.kill();
  const b = browser.tab({ definition: { ...shop, fingerprint: "another" } });
  await b.session.awake();
  expect(b.session.value("note")).toBe("x");
  expect(world.requests.at(-1)?.body).toContain('"since":0');
});

/** The shop of a later version of the app: notes are objects now. */
function nextShop(note?: (stored: unknown) => { text: string } | undefined) {
  const shared = { note: z.object({ text: z.string() }) };
  const { keys } = defineSession({ shared, ...(note && { migrate: { note } }) });
  return { ...shop, keys: new Map([...shop.keys, ...keys]), fingerprint: "next" };
}

/** Writes a note as the later version has it: a tab's types are those of today's shop. */
function writeAsNext({ session }: { session: object }, note: { text: string }): void {
  (session as { setValue(name: string, value: unknown): void }).setValue("note", note);
}

const asObject = (text: unknown) => ({ text: String(text) });

/** What a page of the last version has left behind: one value that the server has, one change that it has not. */
async function leaveBehind(world: ReturnType<typeof createWorld>, browser: Browser) {
  const a = browser.tab();
  a.session.setValue("note", "kept");
  a.session.setValue("theme", "dark");
  await a.session.awake();
  await a.session.sleep();
  world.fate = () => "lost";
  a.session.setValue("note", "unsent");
  await until(async () => (await opRows(browser)).length === 1);
  a.kill();
}

test("what an older version of the app left on disk is migrated and shown, and goes home as it is, to whatever server", async () => {
  const { world, browser } = open();
  await leaveBehind(world, browser);
  const b = browser.tab({ definition: nextShop(asObject) });
  await b.session.awake();
  // Offline still: all of it comes from the disk.
  expect(b.session.values()).toMatchObject({ note: { text: "unsent" }, theme: "dark" });
  world.fate = () => "ok";
  await b.session.awake();
  // This server is of the older version, too: what is migrated it would have refused.
  expect((await browser.server()).entries.note).toMatchObject({ value: '"unsent"' });
  expect([b.session.value("note"), b.conflicts]).toEqual([{ text: "unsent" }, []]);
});

test("what migrate drops is shown to nobody, and dropped by the server with an event that hands it over", async () => {
  const definition = nextShop(() => undefined);
  const { world, browser } = open(createWorld({ definition: definition as Shop }));
  await leaveBehind(world, browser);
  const b = browser.tab({ definition });
  await b.session.awake();
  expect([b.session.values(), b.conflicts]).toEqual([{ theme: "dark" }, []]);
  world.fate = () => "ok";
  await b.session.awake();
  const told = b.conflicts.filter(({ mine }) => mine === "unsent");
  expect(told).toMatchObject([{ key: "note", what: "rejected", code: "INVALID_VALUE" }]);
  expect(told[0]?.message).toContain("whose values migrate drops");
  await until(async () => (await opRows(browser)).length === 0);
});

test("a page of an older version that finds a change which it cannot read takes it home, and what came after it, too", async () => {
  const definition = nextShop() as Shop;
  const { world, browser } = open(createWorld({ definition }));
  const newer = browser.tab({ definition });
  newer.session.setValue("theme", "dark");
  await newer.session.awake();
  await newer.session.sleep();
  world.fate = () => "lost";
  writeAsNext(newer, { text: "mine" });
  newer.session.update("visits", (visits) => visits + 1);
  await until(async () => (await opRows(browser)).length === 2);
  newer.kill();
  world.fate = () => "ok";
  const older = browser.tab();
  await older.session.awake();
  expect(older.session.values()).toEqual({ theme: "dark", visits: 1 });
  expect(older.conflicts).toEqual([]);
  expect((await browser.server()).entries).toMatchObject({
    note: { value: '{"text":"mine"}' },
    visits: { value: "1" },
  });
});

test("what the server or a sibling holds of another version of the app is migrated or not shown", async () => {
  const { browser } = open();
  const a = browser.tab();
  a.session.setValue("note", "kept");
  a.session.setValue("theme", "dark");
  await a.session.awake();
  await a.session.sleep();
  const { fingerprint } = shop;
  for (const [migrate, mended] of [
    [asObject, (text: string) => ({ note: { text } })],
    [() => undefined, () => ({})],
  ] as const) {
    const { session } = browser.tab({ definition: { ...nextShop(migrate), fingerprint } });
    // From the disk, then from the server.
    await session.awake();
    expect(session.values()).toEqual({ theme: "dark", ...mended("kept") });
    expect(session.values()).toEqual({ theme: "dark", ...mended("kept") });
    let calls = 0;
    session.subscribe("note", () => calls++);
    a.session.setValue("note", "told");
    await until(() => calls === 1);
    expect(session.values()).toEqual({ theme: "dark", ...mended("told") });
    expect(session.hasValue("note")).toBe("note" in mended("told"));
    a.session.setValue("note", "kept");
    await a.session.sleep();
    await session.awake();
  }
});

test("a tab of an older version neither drops nor rewrites the changes of a newer one that it cannot read", async () => {
  const { world, browser } = open();
  const older = browser.tab();
  older.session.setValue("theme", "dark");
  await older.session.awake();
  await older.session.sleep();
  world.fate = () => "lost";
  const newer = browser.tab({ definition: nextShop() });
  await newer.session.awake();
  writeAsNext(newer, { text: "mine" });
  await until(async () => (await opRows(browser)).length === 1);
  const before = JSON.stringify(await opRows(browser));
  older.page.hide();
  older.page.fire("pageshow");
  await older.session.awake();
  expect(older.conflicts).toEqual([]);
  expect(JSON.stringify(await opRows(browser))).toBe(before);
});

/** The shop of another version of the app, with other schemas of some keys; it passes for today's. */
function version(shared: Shape, migrate: Record<string, (stored: unknown) => unknown> = {}): Shop {
  const { keys } = defineSession({ shared, migrate: migrate as never });
  return { ...shop, keys: new Map([...shop.keys, ...keys]) } as Shop;
}

const Line = z.object({ sku: z.string(), qty: z.number().max(10) });
/** Its carts take no more than ten of anything. */
const frugal = version({ cart: value(z.array(Line).default([]), { merge: merge.byId("sku") }) });

test("what a page of another version adds to a value that it cannot read leaves that in place", async () => {
  const { browser } = open();
  const a = browser.tab();
  a.session.setValue("cart", [{ sku: "pen", qty: 50 }]);
  await a.session.awake();
  await a.session.sleep();
  const older = browser.tab({ definition: frugal, name: "other device" });
  await older.session.awake();
  expect([older.session.hasValue("cart"), older.session.value("cart")]).toEqual([false, []]);
  older.session.update("cart", (cart) => [...cart, { sku: "ink", qty: 1 }]);
  await older.session.sleep();
  await a.session.awake();
  expect(a.session.value("cart")).toEqual([
    { sku: "pen", qty: 50 },
    { sku: "ink", qty: 1 },
  ]);
});

test("a page's own change stays on its screen when a value comes that it cannot read", async () => {
  const { browser } = open();
  const newer = browser.tab();
  newer.session.setValue("theme", "dark");
  await newer.session.awake();
  await newer.session.sleep();
  const older = browser.tab({ definition: frugal, idle: 1000 });
  await older.session.awake();
  older.session.update("cart", (cart) => [...cart, { sku: "ink", qty: 1 }]);
  newer.session.setValue("cart", [{ sku: "pen", qty: 50 }]);
  newer.session.setValue("note", "told");
  await newer.session.sleep();
  await until(() => older.session.value("note", "") === "told");
  expect(older.session.value("cart")).toEqual([{ sku: "ink", qty: 1 }]);
});

test("what the server has rendered of another version is not shown either", async () => {
  const { browser } = open();
  const a = browser.tab();
  a.session.setValue("cart", [{ sku: "pen", qty: 50 }]);
  await a.session.awake();
  await a.session.sleep();
  const { session } = browser.tab({
    definition: frugal,
    name: "other device",
    initialSnapshot: await browser.server(),
  });
  expect([session.initial("cart"), session.peek("cart")]).toEqual([[], []]);
});

/** A store with a session of an older version of the app, and browsers that have its cookie. */
async function inherited(
  definition: Shop,
  write: (session: { setValue(name: string, value: unknown): void }) => void,
  today: Shop = shop,
) {
  const store = memoryStore();
  const { browser } = open(createWorld({ store, definition }));
  const old = browser.tab({ definition });
  write(old.session as never);
  await old.session.awake();
  await old.session.sleep();
  old.kill();
  const world = createWorld({ store, definition: today });
  return () => {
    const heir = open(world).browser;
    heir.jar.cookie = browser.jar.cookie;
    return heir;
  };
}

test("two devices that migrate a counter and add to it count each once", async () => {
  const definition = version({ visits: counter() }, { visits: Number });
  const before = version({ visits: z.string() });
  const heir = await inherited(before, (session) => session.setValue("visits", "5"), definition);
  const tabs = [heir(), heir()].map((browser) => browser.tab({ definition }));
  for (const { session } of tabs) await session.awake();
  for (const { session } of tabs) session.update("visits", (n) => n + 1);
  for (const { session } of tabs) await session.sleep();
  for (const { session } of tabs) await session.awake();
  expect(tabs.map(({ session }) => session.value("visits"))).toEqual([7, 7]);
});

test("a change of a key whose stored value the server's schema rejects is refused, and holds up no other", async () => {
  const record = value(z.record(z.string(), z.number()), { merge: merge.fields });
  const heir = await inherited(version({ cart: record }), (session) => session.setValue("cart", { pen: 1 }));
  const browser = heir();
  const { session, conflicts } = browser.tab();
  // Before it is known what the server has.
  session.update("cart", (cart) => [...cart, { sku: "ink", qty: 1 }]);
  session.setValue("note", "not held up");
  await session.awake();
  await session.sleep();
  expect((await browser.server()).entries).toMatchObject({
    cart: { value: '{"pen":1}' },
    note: { value: '"not held up"' },
  });
  expect(conflicts).toMatchObject([{ key: "cart", what: "rejected", code: "INVALID_VALUE" }]);
  expect(conflicts[0]?.message).toContain("give defineSession a migrate.cart");
});

test("the app hears what its migrate throws, and the key is as good as absent", async () => {
  const heir = await inherited(version({ visits: z.string() }), (session) => session.setValue("visits", "5"));
  const heard: unknown[] = [];
  const listeners = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException").on("uncaughtException", (error) => heard.push(error));
  try {
    const failure = new TypeError("the app's own");
    const definition = version(
      { visits: counter() },
      {
        visits: () => {
          throw failure;
        },
      },
    );
    const { session } = heir().tab({ definition });
    await session.awake();
    expect([session.value("visits"), session.value("visits")]).toEqual([0, 0]);
    await until(() => heard.length > 0);
    expect(heard).toEqual([failure]);
  } finally {
    process.removeAllListeners("uncaughtException");
    for (const listener of listeners) process.on("uncaughtException", listener);
  }
});
