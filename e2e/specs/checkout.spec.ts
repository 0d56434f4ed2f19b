import { expect, test } from "../src/test.ts";

test("an order takes what the cart showed, however fresh, and empties it everywhere", async ({
  context,
  openTab,
  page,
  server,
  shop,
}) => {
  const other = await openTab(context);
  await shop.add("Moon lamp");
  await shop.add("Moon lamp");
  await shop.add("Valerian tea");
  await expect(shop.total).toHaveText("€121.50");
  await page.getByRole("button", { name: "Check out" }).click();

  await expect(page.getByText(/Order FW-\d{4} over €121\.50 is on its way/)).toBeVisible();
  for (const tab of [shop, other]) await expect(tab.total).toHaveText("€0.00");
  expect(await server.held(context)).toMatchObject({ cart: [] });
});

test("an order without a server fails with words, and the cart stays", async ({ context, page, shop }) => {
  await shop.add("Moon lamp");
  await shop.synced();
  await context.setOffline(true);
  await page.getByRole("button", { name: "Check out" }).click();
  await expect(page.getByText("The shop cannot be reached just now.")).toBeVisible();
  await expect(shop.total).toHaveText("€56.00");
});
