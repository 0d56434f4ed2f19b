import { expect, test, vi } from "vitest";
import { memoryStore } from "../../../server/src/stores/memory/memory-store.ts";
import { createWorld, type Fate, k, open, type Shop, shop, type Tab, until } from "../../test/world.ts";
import { Memory } from "./memory.ts";

test("the app hears once what another device has overwritten, and can offer to take it back", async () => {
  const { browser } = open();
  const [a, b] = [browser.tab(), browser.tab({ name: "other device" })];
  await a.session.awake();
  a.session.setValue("theme", "dark");
  await a.session.sleep();
  await b.session.awake();
  a.session.setValue("note", "milk");
  b.session.setValue("note", "bread");
  await a.session.sleep();
  await b.session.sleep();
  await a.session.awake();
  await a.session.awake();
  expect(b.conflicts).toEqual([]);
  expect(a.conflicts).toEqual([{ key: "note", what: "lost", mine: "milk" }]);
  a.session.setValue("note", a.conflicts[0]?.mine as string);
  await a.session.sleep();
  await b.session.awake();
  expect(b.session.value("note")).toBe("milk");
  expect([...a.conflicts, ...b.conflicts]).toHaveLength(1);
});

/** Two browsers with one session; what the second writes comes to the first over its stream, beside what waits there. */
async function streamed() {
  const world = createWorld();
  const [desk, phone] = [world.browser(), world.browser()];
  const here = desk.tab({ live: true, idle: 1000 });
  here.session.setValue("note", "start");
  await here.session.awake();
  await here.session.sleep();
  phone.jar.cookie = desk.jar.cookie;
  const there = phone.tab({ idle: 1000 });
  await there.session.awake();
  await until(() => world.streams.size === 1);
  return { here, there };
}

test("whoever is overwritten by a second change, over a first that hid what they wrote, is told", async () => {
  const { here, there } = await streamed();
  here.session.setValue("note", "milk");
  there.session.setValue("note", "bread");
  there.session.setValue("theme", "dark");
  await there.session.sleep();
  await until(() => here.session.value("theme") === "dark");
  expect(here.session.value("note")).toBe("milk");
  here.session.setValue("note", "cream");
  await here.session.sleep();
  await there.session.awake();
  expect(there.session.value("note")).toBe("cream");
  expect(there.conflicts).toEqual([{ key: "note", what: "lost", mine: "bread" }]);
  expect(here.conflicts).toEqual([]);
});

test("whoever is overwritten by somebody who has seen what they wrote is told nothing", async () => {
  const { here, there } = await streamed();
  there.session.setValue("note", "bread");
  await there.session.sleep();
  await until(() => here.session.value("note") === "bread");
  here.session.setValue("note", "milk");
  here.session.setValue("note", "cream");
  await here.session.sleep();
  await there.session.awake();
  expect(there.session.value("note")).toBe("cream");
  expect([...here.conflicts, ...there.conflicts]).toEqual([]);
});

test.each([["milk"], [null]])("two devices that choose the same are in no conflict: %s", async (choice) => {
  const { here, there } = await streamed();
  for (const { session } of [here, there]) {
    if (choice === null) session.delValue("note");
    else session.setValue("note", choice);
  }
  await there.session.sleep();
  await here.session.sleep();
  for (const tab of [there, here]) await awake(tab);
  expect(there.session.value("note", null)).toBe(choice);
  expect([...here.conflicts, ...there.conflicts]).toEqual([]);
});

/** Two devices with one session; the second has set its cart while it did not know of the first one's. */
async function conflict() {
  const { world, browser } = open();
  const second = { name: "other device" };
  const [a, b] = [browser.tab(), browser.tab(second)];
  await a.session.awake();
  a.session.setValue("theme", "dark");
  await a.session.sleep();
  await b.session.awake();
  a.session.setValue("cart", [{ sku: "pen", qty: 1 }]);
  await a.session.sleep();
  b.session.setValue("cart", [{ sku: "ink", qty: 2 }]);
  return { world, b, sibling: () => browser.tab(second) };
}

const merged = { key: "cart", what: "merged", mine: [{ sku: "ink", qty: 2 }] };

async function awake({ session }: Tab): Promise<void> {
  await session.awake();
  await session.sleep();
}

test.each<Fate>(["ok", "answer lost"])(
  "the app hears once of a change that was joined, when the answer is: %s",
  async (fate) => {
    const { world, b } = await conflict();
    world.fate = () => fate;
    await b.session.sleep().catch(() => undefined);
    world.fate = () => "ok";
    for (let i = 0; i < 2; i++) await awake(b);
    expect(b.conflicts).toEqual([merged]);
  },
);

test("what became of a page's last changes is told by the next page, once", async () => {
  const { world, b, sibling } = await conflict();
  world.fate = () => "answer lost";
  b.page.leave();
  await new Promise((resolve) => setTimeout(resolve, 50));
  b.kill();
  world.fate = () => "ok";
  const next = sibling();
  for (let i = 0; i < 2; i++) await awake(next);
  expect(next.conflicts).toEqual([merged]);
});

test("of several tabs that are told at once, one tells the app", async () => {
  const { world, b, sibling } = await conflict();
  const tabs = [sibling(), sibling(), b];
  world.fate = () => "answer lost";
  await b.session.sleep().catch(() => undefined);
  world.fate = () => "ok";
  await Promise.all(tabs.map(awake));
  await Promise.all(tabs.map(awake));
  expect(tabs.flatMap(({ conflicts }) => conflicts)).toEqual([merged]);
});

test("the server forgets with the next change what was heard, and is told so once", async () => {
  const { world, b } = await conflict();
  await b.session.sleep();
  const from = world.requests.length;
  for (const note of ["one", "two"]) {
    b.session.setValue("note", note);
    await b.session.sleep();
  }
  const pushes = world.requests.slice(from).map(({ body }) => JSON.parse(body).json as { heard?: string[] });
  expect(pushes.map(({ heard = [] }) => heard.length)).toEqual([1, 0]);
});

test("of many changes in two tabs at once, each is told once", async () => {
  const inner = memoryStore();
  let [held, release] = [undefined as Promise<void> | undefined, () => {}];
  const write: typeof inner.write = async (...commit) => {
    const result = await inner.write(...commit);
    const wait = held;
    held = undefined;
    await wait;
    return result;
  };
  const { browser } = open(createWorld({ store: { ...inner, write } }));
  const [other, a, b] = [
    browser.tab({ name: "other device" }),
    browser.tab({ idle: 1000 }),
    browser.tab({ idle: 1000 }),
  ];
  other.session.setValue("theme", "dark");
  await awake(other);
  for (const { session } of [a, b]) await session.awake();
  other.session.update("visits", (n) => n + 100);
  await other.session.sleep();
  const count = async ({ session }: Tab, times: number) => {
    for (let i = 0; i < times; i++) {
      session.update("visits", (n) => n + 1);
      // Each a change of its own, since this waits for nothing.
      session.setValue("note", `${i}`);
      await new Promise((resolve) => setTimeout(resolve));
    }
  };
  await count(a, 20);
  held = new Promise((resolve) => {
    release = resolve;
  });
  const slow = a.session.sleep();
  await until(() => held === undefined);
  await count(b, 4);
  await b.session.sleep();
  release();
  await slow;
  await until(() => a.conflicts.length + b.conflicts.length >= 24);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(a.conflicts.length + b.conflicts.length).toBe(24);
});

test("a page says of no more notes that it heard them than can wait, and of each once", async () => {
  const { keys } = shop;
  const dropped = [...keys.keys()].filter((name) => /^k\d/.test(name));
  const few = { ...shop, keys: new Map([...keys].filter(([name]) => !dropped.includes(name))), dropped } as Shop;
  const { world, browser } = open(createWorld({ definition: few }));
  const { session } = browser.tab();
  session.setValue("theme", "dark");
  await session.awake();
  await session.sleep();
  for (let i = 0; i < 100; i++) session.setValue(k(i), "refused");
  await session.sleep();
  const from = world.requests.length;
  for (const note of ["one", "two", "three"]) {
    session.setValue("note", note);
    await session.sleep();
  }
  const pushes = world.requests.slice(from).map(({ body }) => JSON.parse(body).json as { heard?: string[] });
  expect(pushes.map(({ heard = [] }) => heard.length)).toEqual([8, 0, 0]);
});

/** A device that nobody listens to yet. Its change of the note is about to be lost to another device, unless `what` is something else. */
async function silent(change: (session: Tab["session"]) => void) {
  const { world, browser } = open();
  const second = { name: "other device", onConflict: undefined, onExpired: undefined } as object;
  const [a, b] = [browser.tab(), browser.tab(second)];
  await a.session.awake();
  a.session.setValue("theme", "dark");
  await a.session.sleep();
  await b.session.awake();
  change(b.session);
  return { world, a: a.session, b: b.session };
}

test("listeners may come at any time, and hear until they end", async () => {
  const { a, b } = await silent((session) => session.setValue("note", "canary"));
  const [one, two, gone] = [[], [], []] as [unknown[], unknown[], unknown[]];
  const listen = (heard: unknown[]) => b.onConflict((conflict) => heard.push(conflict));
  listen(one);
  const end = listen(two);
  listen(gone)();
  await b.sleep();
  const overwrite = async (note: string) => {
    a.setValue("note", note);
    await a.sleep();
    await b.awake();
  };
  await overwrite("jam");
  expect([one, two, gone]).toEqual([[{ key: "note", what: "lost", mine: "canary" }], one, []]);
  b.setValue("note", "again");
  await b.sleep();
  end();
  await overwrite("more jam");
  expect([one.length, two.length]).toEqual([2, 1]);
});

test("a listener that throws keeps nobody else from hearing", async () => {
  const { a, b } = await silent((session) => session.setValue("note", "canary"));
  await b.sleep();
  const uncaught = new Promise((resolve) => process.once("uncaughtException", resolve));
  b.onConflict(() => {
    throw new Error("the app's own");
  });
  const heard: unknown[] = [];
  b.onConflict((conflict) => heard.push(conflict));
  a.setValue("note", "jam");
  await a.sleep();
  await b.awake();
  expect(heard).toHaveLength(1);
  expect(await uncaught).toMatchObject({ message: "the app's own" });
});

test("where nobody listens, one line on the console names the key of a lost change, and no value", async () => {
  const { a, b } = await silent((session) => session.setValue("note", "canary"));
  const warn = vi.spyOn(console, "warn").mockReturnValue();
  await b.sleep();
  a.setValue("note", "jam");
  await a.sleep();
  await b.awake();
  await b.awake();
  expect(warn.mock.calls).toEqual([
    ["catnap: dropped changes of note: lost to another device. See onConflict and onExpired"],
  ]);
  warn.mockRestore();
});

test("where nobody listens, one line on the console names the key of a rejected change, and a joined one is worth none", async () => {
  const warn = vi.spyOn(console, "warn").mockReturnValue();
  const { keys } = shop;
  const few = { ...shop, keys: new Map([...keys].filter(([name]) => name !== "note")), dropped: ["note"] } as Shop;
  const { browser } = open(createWorld({ definition: few }));
  const { session } = browser.tab({ onConflict: undefined } as object);
  session.setValue("note", "canary");
  session.setValue("theme", "dark");
  await session.sleep();
  expect(warn.mock.calls).toEqual([
    ["catnap: dropped changes of note: rejected UNKNOWN_KEY. See onConflict and onExpired"],
  ]);
  warn.mockClear();
  const { a, b } = await silent((b) => b.setValue("cart", [{ sku: "ink", qty: 2 }]));
  a.setValue("cart", [{ sku: "pen", qty: 1 }]);
  await a.sleep();
  await b.sleep();
  expect(b.value("cart")).toHaveLength(2);
  expect(warn).not.toHaveBeenCalled();
  warn.mockRestore();
});

test("where nobody listens, one line on the console names the keys that were unsent when the session ended", async () => {
  const warn = vi.spyOn(console, "warn").mockReturnValue();
  const { world, b } = await silent((session) => {
    session.setValue("note", "canary");
    session.update("visits", (n) => n + 1);
  });
  await world.sessions.revoke(b.identifier());
  await b.sleep().catch(() => undefined);
  expect(warn.mock.calls).toEqual([
    ["catnap: dropped changes of note, visits: unsent SESSION_GONE. See onConflict and onExpired"],
  ]);
  warn.mockClear();
  const { world: other, b: idle } = await silent(() => undefined);
  await other.sessions.revoke(idle.identifier());
  await idle.awake();
  expect(warn).not.toHaveBeenCalled();
  warn.mockRestore();
});

test.each([
  ["lost", '"dark"', "dark"],
  ["lost", '"mauve"', undefined],
  ["merged", "no JSON", undefined],
  ["lost", null, undefined],
  ["rejected", '"mauve"', "mauve"],
  ["rejected", "no JSON", undefined],
] as const)("what a change had set is given where it is what the type says: %s, %s", (what, encoded, mine) => {
  expect(new Memory(shop).mine({ key: "theme", what }, encoded)).toBe(mine);
});
