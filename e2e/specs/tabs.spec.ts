import { expect, test } from "../src/test.ts";

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
  const times = 5;
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
