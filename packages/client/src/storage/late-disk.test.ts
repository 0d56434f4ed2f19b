import { expect, test } from "vitest";
import { useless } from "../../test/disks.ts";
import { type Browser, createWorld, open, type Tab, until } from "../../test/world.ts";

/** Holds up all that the disk is asked until the function that it gives is called. */
async function stall({ indexedDB, name }: Browser): Promise<() => void> {
  const db = await new Promise<IDBDatabase>((resolve) => {
    const request = indexedDB.open(`catnap:${name}`);
    request.onsuccess = () => resolve(request.result);
  });
  let held = true;
  const store = db.transaction("catnap", "readwrite").objectStore("catnap");
  const again = () => {
    store.get("nothing").onsuccess = () => (held ? again() : db.close());
  };
  again();
  return () => {
    held = false;
  };
}

const onDisk = async (browser: Browser) => JSON.stringify([...(await browser.rows())]);

/** A browser whose tabs have given numbers to changes of the note. */
async function withHistory(world = createWorld()) {
  const { browser } = open(world);
  const tab = browser.tab();
  await tab.session.awake();
  for (const note of ["first", "second", "third"]) {
    tab.session.setValue("note", note);
    await tab.session.sleep();
  }
  await until(async () => (await onDisk(browser)).includes("third"));
  return { world, browser, tab };
}

const note = async (browser: Browser) => (await browser.server()).entries.note?.value;

const ways: Record<string, (browser: Browser) => Promise<Tab>> = {
  "left at once": async (browser) => {
    const tab = browser.tab();
    tab.session.setValue("note", "latest");
    tab.page.leave();
    return tab;
  },
  "was hidden for a moment": async (browser) => {
    const tab = browser.tab();
    tab.session.setValue("note", "latest");
    tab.page.hide();
    tab.page.document.visibilityState = "visible";
    tab.page.document.dispatchEvent(new Event("visibilitychange"));
    return tab;
  },
  "has no disk": async (browser) => {
    const tab = browser.tab({ surroundings: { indexedDB: undefined } });
    tab.session.setValue("note", "latest");
    await tab.session.awake();
    return tab;
  },
  "has a disk that hangs": async (browser) => {
    const tab = browser.tab({ surroundings: { indexedDB: useless.hanging() } });
    tab.session.setValue("note", "latest");
    await tab.session.awake();
    return tab;
  },
};
test.each(Object.entries(ways))(
  "the edit of a page that %s stands over earlier ones of its browser",
  async (_, write) => {
    const { browser, tab } = await withHistory();
    tab.kill();
    const { session, conflicts } = await write(browser);
    await session.awake();
    await session.sleep();
    expect([await note(browser), session.value("note"), conflicts]).toEqual(['"latest"', "latest", []]);
  },
);

test("the edit of a page that left at once stands over what a dead page had on disk", async () => {
  const { world, browser, tab } = await withHistory();
  world.fate = () => "lost";
  tab.session.setValue("note", "older");
  await until(async () => (await onDisk(browser)).includes("older"));
  tab.kill();
  world.fate = () => "ok";
  const quick = browser.tab({ initialSnapshot: await browser.server() });
  quick.session.setValue("note", "latest");
  quick.page.leave();
  quick.kill();
  const next = browser.tab();
  await next.session.awake();
  await next.session.sleep();
  expect([await note(browser), next.conflicts]).toEqual(['"latest"', []]);
});

test("a pull is made anew where the browser has gone on to another epoch while it was under way", async () => {
  const { world, browser, tab } = await withHistory();
  const other = world.browser();
  other.jar.cookie = browser.jar.cookie;
  const phone = other.tab();
  await phone.session.awake();
  phone.session.setValue("note", "newer");
  await phone.session.sleep();
  const release = world.hold();
  const asked = world.requests.length;
  const awake = tab.session.awake();
  await until(() => world.requests.length > asked);
  const { name, past } = browser.epoch();
  browser.agree({ name: "n".repeat(43), identifier: null, past: [...past, name] });
  const again = tab.session.awake();
  release();
  await Promise.all([awake, again]);
  expect(tab.session.value("note")).toBe("newer");
});

test("what waits for the disk behind a wipe does not outlive the next one", async () => {
  const { world, browser, tab } = await withHistory();
  const release = await stall(browser);
  world.fate = () => "lost";
  await tab.session.invalidate().catch(() => undefined);
  tab.session.setValue("note", "private-note");
  // Its disk is given up, so that the change waits for it outside.
  await tab.session.awake();
  await tab.session.invalidate().catch(() => undefined);
  release();
  await until(async () => !(await onDisk(browser)).includes("private-note"));
  await tab.session.awake();
  tab.kill();
  world.fate = () => "ok";
  const next = browser.tab();
  await next.session.awake();
  expect(next.session.hasValue("note")).toBe(false);
});
