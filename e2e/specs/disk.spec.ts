import type { Page } from "@playwright/test";
import type { ShopPage } from "../src/shop-page.ts";
import { expect, test } from "../src/test.ts";

/** What the page throws and nobody catches. */
function uncaught(page: Page): string[] {
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  return errors;
}

const database = "catnap:catnap";

/** Clears storage of the page's origin, as its user may at any time: of Chromium alone that can be asked. */
async function clear({ page }: ShopPage, storageTypes: string): Promise<void> {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Storage.clearDataForOrigin", { origin: new URL(page.url()).origin, storageTypes });
}

const chromiumOnly = { tag: "@chromium" };

test(
  "a page whose storage is cleared under it loses nothing that it has not sent",
  chromiumOnly,
  async ({ context, server, shop }) => {
    const errors = uncaught(shop.page);
    await shop.purr();
    await shop.synced();
    await context.setOffline(true);
    await shop.purr();
    await shop.write("Ring twice");
    await clear(shop, "indexeddb,local_storage");
    await shop.purr();
    await expect(shop.purrs).toHaveText("3");
    await context.setOffline(false);
    await shop.synced();
    await expect.poll(() => server.held(context)).toMatchObject({ purrs: 3, note: "Ring twice" });
    await shop.reload();
    await expect(shop.purrs).toHaveText("3");
    await expect(shop.note).toHaveValue("Ring twice");
    expect(errors).toEqual([]);
  },
);

test(
  "a page whose storage is cleared under it, with its cookie, goes on with another session",
  chromiumOnly,
  async ({ context, server, shop }) => {
    const errors = uncaught(shop.page);
    await shop.purr();
    await shop.synced();
    const before = await shop.identifier();
    await clear(shop, "all");
    await shop.purr();
    await expect.poll(() => shop.identifier()).not.toBe(before);
    await shop.synced();
    await shop.write("Ring twice");
    await shop.synced();
    await expect.poll(() => server.held(context)).toMatchObject({ note: "Ring twice" });
    expect((await shop.kept()).databases).not.toContain(before);
    expect(errors).toEqual([]);
  },
);

test("a page whose storage is full sends home what it cannot keep, and keeps again when there is room", async ({
  context,
  openTab,
  page,
  server,
}) => {
  const errors = uncaught(page);
  // What a full disk does to a transaction; no browser at hand lets a test make its quota small.
  await context.addInitScript(() => {
    const { put } = IDBObjectStore.prototype;
    IDBObjectStore.prototype.put = function (...row) {
      const request = put.apply(this, row);
      if (sessionStorage.getItem("full")) this.transaction.abort();
      return request;
    };
  });
  const shop = await openTab(context);
  await shop.synced();
  await shop.page.evaluate(() => sessionStorage.setItem("full", "yes"));
  await shop.purr();
  await shop.write("No room");
  await shop.synced();
  await expect.poll(() => server.held(context)).toMatchObject({ purrs: 1, note: "No room" });
  expect((await shop.kept()).databases).not.toContain("No room");
  await shop.page.evaluate(() => sessionStorage.removeItem("full"));
  await server.end();
  await shop.purr();
  await expect.poll(async () => (await shop.kept()).databases).toContain("op:");
  await shop.page.close();
  await server.start();
  const next = await openTab(context);
  await next.synced();
  await expect(next.purrs).toHaveText("2");
  await expect.poll(() => server.held(context)).toMatchObject({ purrs: 2, note: "No room" });
  expect(errors).toEqual([]);
});

test(
  "a browser that was evicted between two visits shows what the server has",
  chromiumOnly,
  async ({ context, openTab, server, shop }) => {
    await shop.purr();
    await shop.write("Ring twice");
    await shop.synced();
    await shop.page.goto(`${server.url}/assets/`);
    await clear(shop, "indexeddb,local_storage");
    const next = await openTab(context);
    await next.synced();
    await expect(next.note).toHaveValue("Ring twice");
    await next.purr();
    await next.synced();
    await expect.poll(() => server.held(context)).toMatchObject({ purrs: 2 });
  },
);

test("another tab may delete the database under a page, which makes it anew", async ({
  context,
  openTab,
  server,
  shop,
}) => {
  const errors = uncaught(shop.page);
  await shop.purr();
  await shop.synced();
  const other = await openTab(context);
  const outcome = await other.page.evaluate(
    (name) =>
      new Promise((resolve) => {
        const request = indexedDB.deleteDatabase(name);
        request.onsuccess = () => resolve("deleted");
        request.onblocked = () => resolve("blocked");
        request.onerror = () => resolve("failed");
      }),
    database,
  );
  expect(outcome).toBe("deleted");
  for (const tab of [shop, other]) await tab.purr();
  for (const tab of [shop, other]) {
    await tab.synced();
    await expect(tab.purrs).toHaveText("3");
  }
  await expect.poll(() => server.held(context)).toMatchObject({ purrs: 3 });
  await expect.poll(async () => (await shop.kept()).databases).toContain('"purrs",{"value":"3"');
  expect(errors).toEqual([]);
});

const unfit = {
  "is denied": () => {
    IDBFactory.prototype.open = () => {
      throw new DOMException("denied", "SecurityError");
    };
  },
  "never opens": () => {
    IDBFactory.prototype.open = () => new EventTarget() as IDBOpenDBRequest;
  },
  "does not exist": () => Object.defineProperty(globalThis, "indexedDB", { value: undefined }),
};
for (const [how, script] of Object.entries(unfit)) {
  test(
    `where IndexedDB ${how}, pages work from memory and the server, and begin one session`,
    chromiumOnly,
    async ({ context, page, server, openTab }) => {
      await context.addInitScript(script);
      const errors = uncaught(page);
      const [shop, other] = [await openTab(context), await openTab(context)];
      for (const tab of [shop, other]) await tab.purr();
      for (const tab of [shop, other]) await expect(tab.purrs).toHaveText("2");
      await shop.write("From memory");
      await shop.synced();
      await other.synced();
      await expect.poll(() => server.held(context)).toMatchObject({ purrs: 2, note: "From memory" });
      await shop.reload();
      await expect(shop.note).toHaveValue("From memory");
      await shop.purr();
      await shop.synced();
      await expect(other.purrs).toHaveText("3");
      await expect.poll(() => server.held(context)).toMatchObject({ purrs: 3 });
      expect(errors).toEqual([]);
    },
  );
}
