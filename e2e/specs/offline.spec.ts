import { ShopPage } from "../src/shop-page.ts";
import { expect, test } from "../src/test.ts";

test("changes made offline are shown, counted in the badge, and sent on return", async ({ context, server, shop }) => {
  await shop.synced();
  await context.setOffline(true);
  await shop.add("Moon lamp");
  await shop.write("Written in a tunnel");

  await expect(shop.status).toHaveText("Offline · 2");
  await expect(shop.count("Moon lamp")).toHaveText("1");
  expect(await server.held(context)).not.toHaveProperty("note");

  await context.setOffline(false);
  await shop.synced();
  await expect
    .poll(() => server.held(context))
    .toMatchObject({ cart: [{ sku: "lamp", count: 1 }], note: "Written in a tunnel" });
});

test("unsent changes survive a reload while the session's server cannot be reached", async ({
  context,
  server,
  shop,
}) => {
  await shop.synced();
  // The page itself still loads, as from a cache: only the calls fail.
  await context.route("**/trpc/**", (route) => route.abort("internetdisconnected"));
  await shop.add("Valerian tea");
  await shop.switchTheme();
  await expect(shop.status).toContainText("Offline");

  await shop.reload();
  await expect(shop.status).toContainText("Offline");
  await expect(shop.count("Valerian tea")).toHaveText("1");
  await shop.showsTheme("dark");

  await context.unroute("**/trpc/**");
  await shop.page.evaluate(() => dispatchEvent(new Event("online")));
  await shop.synced();
  await expect
    .poll(() => server.held(context))
    .toMatchObject({ theme: "dark", cart: [{ sku: "tea", count: 1 }], visits: 2 });
});

test("answers that get lost on their way make nothing count twice", async ({ context, page, server, wire }) => {
  const shop = await new ShopPage(page).open(wire.url);
  await shop.synced();
  wire.loses = "session.sync";
  await shop.purr();
  await expect(shop.status).toContainText("Offline");
  await shop.purr();
  await expect.poll(() => wire.lost).toBeGreaterThan(1);

  wire.loses = null;
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await shop.synced();
  await expect(shop.purrs).toHaveText("2");
  expect(await server.held(context)).toMatchObject({ purrs: 2 });
});
