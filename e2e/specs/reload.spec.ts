import { expect, test } from "../src/test.ts";

test("every value is still there after a reload", async ({ shop }) => {
  await shop.add("Linen blanket");
  await shop.add("Linen blanket");
  await shop.add("Valerian tea");
  await shop.switchTheme();
  await shop.write("Ring twice");
  await shop.synced();

  await shop.reload();

  await expect(shop.count("Linen blanket")).toHaveText("2");
  await expect(shop.count("Valerian tea")).toHaveText("1");
  await expect(shop.note).toHaveValue("Ring twice");
  await expect(shop.visits).toHaveText("2");
  await shop.showsTheme("dark");
});

test("a change in the very task that reloads the page is kept", async ({ page, shop }) => {
  await shop.synced();
  await Promise.all([
    page.waitForEvent("load"),
    page.evaluate(() => {
      document.querySelector<HTMLButtonElement>('[aria-label="Add Moon lamp to the cart"]')?.click();
      location.reload();
    }),
  ]);
  await shop.awake();
  await expect(shop.count("Moon lamp")).toHaveText("1");
  await shop.synced();
  await expect(shop.count("Moon lamp")).toHaveText("1");
});

test("a change made just before a navigation to elsewhere and back is kept once", async ({ page, shop, server }) => {
  await shop.synced();
  await shop.purr();
  await page.goto("about:blank");
  await shop.open(server.url);
  await expect(shop.purrs).toHaveText("1");
  await shop.synced();
  await expect.poll(() => server.held(page.context())).toMatchObject({ purrs: 1 });
});

test("half a note survives a reload in the middle of the typing", async ({ shop }) => {
  await shop.synced();
  await shop.write("The door sticks, so pu");
  await shop.reload();
  await expect(shop.note).toHaveValue("The door sticks, so pu");
});
