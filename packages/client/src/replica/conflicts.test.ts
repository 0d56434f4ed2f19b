import { expect, test } from "vitest";
import { memoryStore } from "../../../server/src/stores/memory/memory-store.ts";
import { createWorld, type Fate, k, open, type Shop, shop, type Tab, until } from "../../test/world.ts";

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
  expect(a.conflicts.length + b.conflicts.length).toBe(24);
});

test("a page says of no more notes that it heard them than can wait, and of each once", async () => {
  const { keys } = shop;
  const few = { ...shop, keys: new Map([...keys].filter(([name]) => !/^k\d/.test(name))) } as Shop;
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

test("what was heard is said with changes of one's own profile alone, whose notes the server keeps together", async () => {
  const { world, browser } = open();
  const tab = browser.tab();
  tab.session.setValue("note", "x");
  await tab.session.awake();
  await tab.session.sleep();
  world.fate = () => "lost";
  tab.session.setValue("note", "y");
  await until(async () => [...(await browser.rows()).keys()].some((name) => name.startsWith("op:")));
  tab.kill();
  const rows = await browser.rows();
  await browser.put(new Map([["cache", { ...(rows.get("cache") as object), heard: ["ancestor/1"] }]]));
  browser.marks.set(`catnap:${browser.name}:profile`, "another-profile");
  world.fate = () => "ok";
  const next = browser.tab();
  await next.session.awake();
  next.session.setValue("note", "z");
  await next.session.sleep();
  const heard = world.requests.filter(({ body }) => body.includes("ancestor/1"));
  expect(heard.length).toBeGreaterThan(0);
  expect(heard.every(({ body }) => body.includes("another-profile"))).toBe(true);
});

test("without localStorage the disk tells the next page what was heard", async () => {
  const { browser } = open();
  const second = { name: "other device", surroundings: { localStorage: undefined } };
  const [a, b] = [browser.tab(), browser.tab(second)];
  a.session.setValue("theme", "dark");
  await awake(a);
  await b.session.awake();
  b.session.setValue("note", "bread");
  await b.session.sleep();
  b.kill();
  a.session.setValue("note", "milk");
  await a.session.sleep();
  const told: unknown[] = [];
  for (let i = 0; i < 3; i++) {
    const next = browser.tab(second);
    await next.session.awake();
    told.push(...next.conflicts);
    next.kill();
  }
  expect(told).toEqual([{ key: "note", what: "lost", mine: "bread" }]);
});
