import { ShopPage } from "../src/shop-page.ts";
import { expect, test } from "../src/test.ts";

/** The order of answers is the same matter in every engine, and so many pages of Firefox are too slow on two cores. */
const chromiumOnly = { tag: "@chromium" };

test("tabs show each other's changes without the network", async ({ context, openTab, shop }) => {
  const other = await openTab(context);
  await shop.synced();
  await other.synced();
  await context.setOffline(true);

  await shop.write("Typed here");
  await expect(other.note).toHaveValue("Typed here");
  await other.switchTheme();
  await shop.showsTheme("dark");
  await shop.add("Linen blanket");
  await expect(other.count("Linen blanket")).toHaveText("1");
});

test("two tabs that count and fill the cart at once both count", async ({ context, openTab, server, shop }) => {
  const other = await openTab(context);
  const times = 3;
  const busy = async (tab: typeof shop, name: string) => {
    for (let i = 0; i < times; i++) {
      await tab.purr();
      await tab.add(name);
    }
  };
  await Promise.all([busy(shop, "Bed socks"), busy(other, "Moon lamp")]);

  for (const tab of [shop, other]) {
    await tab.synced();
    await expect(tab.purrs).toHaveText(String(2 * times));
    await expect(tab.count("Bed socks")).toHaveText(String(times));
    await expect(tab.count("Moon lamp")).toHaveText(String(times));
  }
  await expect
    .poll(() => server.held(context))
    .toMatchObject({
      purrs: 2 * times,
      visits: 2,
      cart: expect.arrayContaining([
        { sku: "socks", count: times },
        { sku: "lamp", count: times },
      ]),
    });
});

test("a first visit with several tabs at once is one session", async ({ context, openTab, server }) => {
  const tabs = await Promise.all([openTab(context), openTab(context), openTab(context)]);
  for (const tab of tabs) {
    await tab.synced();
    await expect(tab.visits).toHaveText("3");
  }
  const identifiers = await Promise.all(tabs.map((tab) => tab.identifier()));
  expect(new Set(identifiers).size).toBe(1);
  expect(await server.held(context)).toMatchObject({ visits: 3 });
});

test("a tab that sat behind another shows the latest when it comes back", async ({ context, openTab, shop }) => {
  const other = await openTab(context);
  await other.write("While you were away");
  await other.synced();
  await other.page.close();
  await shop.page.bringToFront();
  await expect(shop.note).toHaveValue("While you were away");
});

test(
  "many tabs that write at once, answered out of order, end with the same values: every count and the latest note",
  chromiumOnly,
  async ({ context, server, wire }) => {
    // In the session the server keeps a record of eight pages of a browser: the ninth takes another's place.
    const skus = ["blanket", "mask", "pillow", "tea", "lamp", "bottle", "socks", "rain", "clock"];
    const times = 2;
    const open = async () => new ShopPage(await context.newPage()).open(wire.url);
    const tabs = await Promise.all(skus.map(open));
    wire.backwards = 4;
    for (let time = 1; time <= times; time++) {
      const change = async (tab: ShopPage, index: number) => {
        await tab.changeAtOnce({ sku: skus[index], note: `Edit ${time} of tab ${index}` });
        await tab.focusAgain();
      };
      await Promise.all(tabs.map(change));
    }
    for (const tab of tabs) await tab.synced();
    expect(wire.overtaken).toBeGreaterThan(tabs.length);
    wire.backwards = 1;

    // The latest edit is that of somebody who has seen all others. One of those arrives after it.
    const [latest, earlier] = tabs as [ShopPage, ShopPage];
    const arrived = () =>
      expect.poll(() => wire.responses.some(({ request }) => request.includes("The last word"))).toBe(true);
    wire.holds = (push) => (push.includes("An earlier word") ? arrived() : undefined);
    await earlier.changeAtOnce({ note: "An earlier word" });
    await earlier.focusAgain();
    await expect(latest.note).toHaveValue("An earlier word");
    await expect(latest.purrs).toHaveText(String(tabs.length * times + 1));
    await latest.changeAtOnce({ note: "The last word" });

    const [visits, purrs, note] = [tabs.length, tabs.length * times + 2, "The last word"];
    const values = { visits, purrs, note, cart: Object.fromEntries(skus.map((sku) => [sku, times])) };
    for (const tab of tabs) {
      await tab.synced();
      await expect.poll(() => tab.values()).toEqual(values);
    }
    const lines = expect.arrayContaining(skus.map((sku) => ({ sku, count: times })));
    await expect.poll(() => server.held(context)).toEqual({ visits, purrs, note, cart: lines });
  },
);

test(
  "what a tab shows of a counter that several count up never goes back, however late the answers",
  chromiumOnly,
  async ({ context, wire }) => {
    const open = async () => new ShopPage(await context.newPage()).open(wire.url);
    const tabs = await Promise.all(Array.from({ length: 4 }, open));
    for (const { page } of tabs) {
      await page.evaluate(() => {
        const count = document.querySelector(".cat .count") as HTMLElement;
        const falls: string[] = [];
        let last = Number(count.textContent);
        Object.assign(window, { falls });
        new MutationObserver(() => {
          const next = Number(count.textContent);
          if (next < last) falls.push(`${last} to ${next}`);
          last = next;
        }).observe(count, { subtree: true, childList: true, characterData: true });
      });
    }
    wire.backwards = tabs.length;
    for (let i = 0; i < 15; i++) {
      await Promise.all(
        tabs.map(async (tab) => {
          await tab.changeAtOnce({});
          await tab.focusAgain();
        }),
      );
    }
    for (const { page, purrs } of tabs) {
      await expect(purrs).toHaveText("60");
      expect(await page.evaluate(() => (window as unknown as { falls: string[] }).falls)).toEqual([]);
    }
  },
);
