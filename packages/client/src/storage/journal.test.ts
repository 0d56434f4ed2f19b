import { IDBFactory } from "fake-indexeddb";
import superjson from "superjson";
import { expect, test } from "vitest";
import { refuse } from "../../test/disks.ts";
import { type Browser, open, storageOn, until } from "../../test/world.ts";
import { Journal, type JournalRow, type JournalStorage } from "./journal.ts";

const kept = (browser: Browser) => [...browser.marks.values()].join();

async function signedIn(browser: Browser) {
  const tab = browser.tab({
    through: (send) => async (url, init) => {
      if (init.keepalive) throw new TypeError("Failed to fetch");
      return send(url, init);
    },
  });
  tab.session.setValue("note", "first");
  await tab.session.awake();
  await tab.session.sleep();
  return tab;
}

test("what a page wrote as it ended is taken over, though the disk never got it", async () => {
  const { browser } = open();
  const { session, page, kill } = await signedIn(browser);
  session.setValue("note", "last");
  session.update("visits", (visits) => visits + 1);
  page.leave();
  kill();
  const next = browser.tab({ surroundings: { indexedDB: new IDBFactory() } });
  await next.session.awake();
  await until(() => next.session.value("note") === "last" && next.session.value("visits") === 1);
  await until(async () => (await browser.server()).entries.visits?.value === "1");
  await until(() => !kept(browser).includes("last"));
});

test("what a page wrote and left at once, before its disk was read, goes with the next page, once", async () => {
  for (const indexedDB of [undefined, { open: () => ({}) } as never]) {
    const { browser } = open();
    const { session, page, kill } = browser.tab(indexedDB ? { surroundings: { indexedDB } } : {});
    session.setValue("note", "landed");
    session.update("visits", (visits) => visits + 1);
    page.leave();
    kill();
    expect(kept(browser)).toContain("landed");
    const next = browser.tab();
    await next.session.awake();
    await next.session.sleep();
    expect((await browser.server()).entries).toMatchObject({ note: { value: '"landed"' }, visits: { value: "1" } });
    expect(Object.fromEntries(next.session)).toEqual({ note: "landed", visits: 1 });
  }
});

test("what a page wrote and was hidden with, before its disk was read, outlives its process", async () => {
  const { world, browser } = open();
  world.fate = () => "lost";
  const { session, page, kill } = browser.tab();
  session.update("visits", (visits) => visits + 1);
  page.hide();
  kill();
  world.fate = () => "ok";
  const next = browser.tab({ surroundings: { indexedDB: new IDBFactory() } });
  await next.session.awake();
  await next.session.sleep();
  expect((await browser.server()).entries).toMatchObject({ visits: { value: "1" } });
});

test("what waits aside stays there until the disk has it, also where its page comes back", async () => {
  const { world, browser } = open();
  world.fate = () => "lost";
  refuse("put");
  const { session, page, kill } = browser.tab();
  session.setValue("note", "last");
  page.leave();
  await session.awake();
  kill();
  expect(kept(browser)).toContain("last");
});

test("a page that left before its disk was read and comes back shows and sends what it wrote, once", async () => {
  const { browser } = open();
  const { session, page } = browser.tab();
  session.update("visits", (visits) => visits + 1);
  page.leave();
  const other = browser.tab();
  await other.session.awake();
  page.document.visibilityState = "visible";
  page.fire("pageshow");
  await session.awake();
  await Promise.all([session.sleep(), other.session.sleep()]);
  await until(() => session.value("visits") === 1 && other.session.value("visits") === 1);
  expect((await browser.server()).entries).toMatchObject({ visits: { value: "1" } });
});

test("what a page has put aside and saved since is aside no more when it leaves again", async () => {
  const { browser } = open();
  const { session, page } = await signedIn(browser);
  session.setValue("note", "last");
  page.hide();
  expect(kept(browser)).toContain("last");
  await until(async () => JSON.stringify([...(await browser.rows())]).includes("last"));
  page.leave();
  expect(kept(browser)).not.toContain("last");
});

test("what a page without a disk has put aside, the next one without a disk sends, and puts away", async () => {
  const { world, browser } = open();
  const disk = { surroundings: { indexedDB: undefined } };
  world.fate = () => "lost";
  const { session, page, kill } = browser.tab(disk);
  session.update("visits", (visits) => visits + 1);
  page.leave();
  kill();
  world.fate = () => "ok";
  const next = browser.tab(disk);
  await next.session.awake();
  await until(async () => (await browser.server()).entries.visits?.value === "1");
  expect([next.session.value("visits"), next.session.status().pending]).toEqual([1, 0]);
  await next.session.awake();
  expect(kept(browser)).not.toContain("visits");
});

test("what others have put aside, and the server refuses for good, is not sent again by itself", async () => {
  const { world, browser } = open();
  const surroundings = { indexedDB: undefined };
  world.fate = () => "lost";
  const { session, page, kill } = browser.tab({ surroundings });
  session.setValue("note", "last");
  page.leave();
  kill();
  let calls = 0;
  const refuse = async () => {
    calls++;
    return new Response(JSON.stringify({ error: superjson.serialize({ message: "bad", data: { httpStatus: 400 } }) }));
  };
  const next = browser.tab({ surroundings, through: () => refuse });
  await next.session.awake();
  // Time for a hundred tries.
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(calls).toBeLessThan(4);
});

test("a page that comes back keeps nothing aside", async () => {
  const { browser } = open();
  const { session, page } = await signedIn(browser);
  session.setValue("note", "last");
  page.leave();
  expect(kept(browser)).toContain("last");
  await session.awake();
  await until(() => !kept(browser).includes("last"));
  expect(session.value("note")).toBe("last");
});

test("logging out in another tab leaves nothing of it, and what is not for the disk is never kept aside", async () => {
  const { browser } = open();
  const { session, page, kill } = await signedIn(browser);
  const other = browser.tab();
  await other.session.awake();
  session.setValue("note", "private-note");
  session.setValue("pin", "canary-4711");
  page.leave();
  kill();
  expect(kept(browser)).toContain("private-note");
  expect(kept(browser)).not.toContain("canary");
  await other.session.invalidate();
  expect(kept(browser)).not.toContain("private-note");
});

test("logging out leaves nothing of what a page without a session has put aside", async () => {
  const { world, browser } = open();
  world.fate = () => "lost";
  const { session, page, kill } = browser.tab();
  session.setValue("note", "private-note");
  page.leave();
  kill();
  expect(kept(browser)).toContain("private-note");
  const other = browser.tab();
  await other.session.invalidate().catch(() => undefined);
  expect(kept(browser)).not.toContain("private-note");
  await other.session.awake();
  expect(other.session.hasValue("note")).toBe(false);
});

test("what comes aside after its session was ended here is put away, also where no disk can be read", async () => {
  const { browser } = open();
  const { session, page } = await signedIn(browser);
  session.setValue("note", "private-note");
  page.leave();
  const [name, aside] = [...browser.marks].find(([name]) => name.includes(":journal:")) ?? ["", ""];
  expect(aside).toContain("private-note");
  await session.invalidate().catch(() => undefined);
  // By a page that did not live to hear of it.
  browser.marks.set(name, aside);
  const next = browser.tab({ surroundings: { indexedDB: undefined } });
  await next.session.awake();
  expect([next.session.hasValue("note"), kept(browser).includes("private-note")]).toEqual([false, false]);
});

const row = (writer: string, seq: number, value = "x"): JournalRow => [
  `op:${writer}:${seq}`,
  { identifier: null, epoch: "e", profile: "p", writer, op: { seq, key: "note", value, base: 0 } },
  false,
];

const journals = (storage: JournalStorage) => {
  let ids = 0;
  return [1, 2].map((page) => new Journal(storage, "catnap", () => `${page}-${++ids}`)) as [Journal, Journal];
};

const namesIn = (journal: Journal) => journal.rows().map(([name]) => name);

test("of more than there is room for the oldest are kept, and storage that refuses is borne", () => {
  const [journal] = journals(storageOn(() => items));
  const items = new Map<string, string>();
  journal.keep([1, 2, 3].map((seq) => row("w", seq, "x".repeat(30_000))));
  expect(namesIn(journal)).toEqual(["op:w:1", "op:w:2"]);
  const refuse = (): never => {
    throw new DOMException("no", "SecurityError");
  };
  const refused = { getItem: refuse, setItem: refuse, removeItem: refuse, key: refuse, length: 1 };
  const [denied] = journals(refused);
  denied.keep([row("w", 1)]);
  denied.filter(() => false);
  expect(denied.rows()).toEqual([]);
});

test("a page's later rows take the place of its earlier ones, unless there is no room for them", () => {
  const items = new Map<string, string>();
  const storage = storageOn(() => items);
  const [journal, other] = journals(storage);
  other.keep([row("v", 1)]);
  journal.keep([row("w", 1)]);
  journal.keep([row("w", 1), row("w", 2)]);
  expect(namesIn(journal)).toEqual(["op:v:1", "op:w:1", "op:w:2"]);
  storage.setItem = () => {
    throw new DOMException("full", "QuotaExceededError");
  };
  journal.keep([row("w", 3)]);
  expect(namesIn(journal)).toEqual(["op:v:1", "op:w:1", "op:w:2"]);
});

test("a page that takes rows out, and has not seen yet what others have put there, takes none of that along", () => {
  const items = new Map<string, string>();
  // What another process has written is seen a moment later.
  let seen: Map<string, string> | undefined;
  const [journal, other] = [journals(storageOn(() => items))[0], journals(storageOn(() => seen ?? items))[1]];
  journal.keep([row("v", 1), row("v", 2)]);
  seen = new Map(items);
  journal.keep([row("v", 1), row("v", 2), row("v", 3)]);
  const writes = storageOn(() => items);
  const late = {
    ...storageOn(() => seen as Map<string, string>),
    removeItem: writes.removeItem,
    setItem: writes.setItem,
  };
  new Journal(late, "catnap", () => "late").filter((_, name) => name !== "op:v:1");
  expect(new Set(namesIn(other))).toEqual(new Set(["op:v:1", "op:v:2"]));
  expect(new Set(namesIn(journal))).toEqual(new Set(["op:v:1", "op:v:2", "op:v:3"]));
});

test("pages that take rows out of one text in the same moment leave one text", () => {
  const items = new Map<string, string>();
  const writes = storageOn(() => items);
  new Journal(writes, "catnap", () => "owner").keep([row("w", 1), row("w", 2), row("w", 3)]);
  const seen = new Map(items);
  for (const gone of ["op:w:1", "op:w:2"]) {
    const late = { ...storageOn(() => seen), removeItem: writes.removeItem, setItem: writes.setItem };
    new Journal(late, "catnap", () => gone).filter((_, name) => name !== gone);
  }
  expect(items.size).toBe(1);
});
