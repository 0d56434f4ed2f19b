import { ShopPage } from "../src/shop-page.ts";
import { expect, test } from "../src/test.ts";

test("the last push of a closing tab reaches the server without the tab being opened again", async ({
  context,
  server,
  shop,
}) => {
  await shop.synced();
  await shop.add("Bed socks");
  await shop.write("Before the door closes");
  await shop.page.close();
  await expect
    .poll(() => server.held(context))
    .toMatchObject({ cart: [{ sku: "socks", count: 1 }], note: "Before the door closes" });
});

test("a change made right before its tab closes shows in the next tab and counts once", async ({
  context,
  openTab,
  server,
  shop,
}) => {
  await shop.synced();
  await shop.purr();
  await shop.purr();
  await shop.page.close();

  const next = await openTab(context);
  await expect(next.purrs).toHaveText("2");
  await next.synced();
  await expect(next.purrs).toHaveText("2");
  await expect.poll(() => server.held(context)).toMatchObject({ purrs: 2, visits: 2 });
});

test("a change of the very first second, before there is a session, outlives its tab", async ({
  context,
  openTab,
  page,
  server,
}) => {
  const first = new ShopPage(page);
  await first.open(server.url);
  await first.add("Rain machine");
  await page.close();

  const next = await openTab(context);
  await expect(next.count("Rain machine")).toHaveText("1");
  await next.synced();
  await expect.poll(() => server.held(context)).toMatchObject({ cart: [{ sku: "rain", count: 1 }], visits: 2 });
});

test(
  "a change made right before the whole browser closes is there when it starts again",
  {
    tag: "@profile",
  },
  async ({ playwright, browserName, server }, testInfo) => {
    const profile = testInfo.outputPath("profile");
    const launch = () =>
      playwright[browserName].launchPersistentContext(profile, {
        ...testInfo.project.use.launchOptions,
        baseURL: server.url,
      });

    const before = await launch();
    const shop = await new ShopPage(await before.newPage()).open();
    await shop.synced();
    await shop.add("Kind alarm clock");
    await before.close();

    const after = await launch();
    const again = await new ShopPage(await after.newPage()).open();
    await expect(again.count("Kind alarm clock")).toHaveText("1");
    await again.synced();
    await expect.poll(() => server.held(after)).toMatchObject({ cart: [{ sku: "clock", count: 1 }], visits: 2 });
    await after.close();
  },
);
