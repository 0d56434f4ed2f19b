import type { Page } from "@playwright/test";
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

/** The mutations of each request from here on, in order. */
function mutationsOf(page: Page): string[] {
  const requests: string[] = [];
  page.on("request", (request) => {
    const [, procedures] = /\/trpc\/([^?]*)/.exec(request.url()) ?? [];
    if (procedures && request.method() === "POST") requests.push(procedures);
  });
  return requests;
}

test("an order goes with what was written just before it in one request, whose answer shows all", async ({
  context,
  page,
  server,
  shop,
}) => {
  await shop.add("Moon lamp");
  await shop.synced();
  const requests = mutationsOf(page);
  await shop.addAndCheckOut("lamp");
  await expect(page.getByText(/Order FW-\d{4} over €112\.00 is on its way/)).toBeVisible();
  await expect(shop.total).toHaveText("€0.00");
  expect(requests).toEqual(["session.sync,checkout"]);
  await shop.synced();
  expect(await server.held(context)).toMatchObject({ cart: [] });
});

test("a login that follows no write brings the user with at most one request more", async ({ page, shop }) => {
  await shop.synced();
  const requests = mutationsOf(page);
  await shop.logIn("Ada");
  await shop.synced();
  expect(requests.filter((one) => one === "login")).toEqual(["login"]);
  expect(requests.filter((one) => one.includes("sync")).length).toBeLessThanOrEqual(1);
});

test("an order without a server fails with words, and the cart stays", async ({ context, page, shop }) => {
  await shop.add("Moon lamp");
  await shop.synced();
  await context.setOffline(true);
  await page.getByRole("button", { name: "Check out" }).click();
  await expect(page.getByText("The shop cannot be reached just now.")).toBeVisible();
  await expect(shop.total).toHaveText("€56.00");
});
