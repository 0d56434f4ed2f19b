import type { BrowserContext } from "@playwright/test";
import { expect, test } from "../src/test.ts";

async function copySession(from: BrowserContext, to: BrowserContext): Promise<void> {
  await to.addCookies(await from.cookies());
}

test("what one device writes shows on another that is open, within a second", async ({
  browser,
  context,
  openTab,
  shop,
}) => {
  await shop.synced();
  const phone = await browser.newContext();
  await copySession(context, phone);
  const there = await openTab(phone);
  await there.synced();
  await expect(shop.visits).toHaveText("2");

  // The fastest of three: this machine may be busy with another spec.
  const took: number[] = [];
  for (const theme of ["dark", "light", "dark"] as const) {
    await there.switchTheme();
    await there.synced();
    const told = Date.now();
    await shop.showsTheme(theme);
    took.push(Date.now() - told);
  }
  expect(Math.min(...took)).toBeLessThan(1000);
  await phone.close();
});

test("what the server does to the session shows in the page that asked for it, and in every other", async ({
  browser,
  context,
  openTab,
  shop,
}) => {
  await shop.add("Bed socks");
  await shop.synced();
  const phone = await browser.newContext();
  await copySession(context, phone);
  const there = await openTab(phone);
  await expect(there.count("Bed socks")).toHaveText("1");
  await there.page.getByRole("button", { name: "Check out" }).click();
  await expect(shop.total).toHaveText("€0.00");
  await phone.close();
});

test("all tabs of a browser share one stream, and the next one takes it over", async ({
  browser,
  context,
  openTab,
  shop,
}) => {
  const streams = new Set<string>();
  const count = (page: typeof shop.page) =>
    page.on("request", (request) => {
      if (request.url().includes("session.changes")) streams.add(`${streams.size} ${request.url()}`);
    });
  await shop.synced();
  const tabs = [await openTab(context), await openTab(context)];
  for (const { page } of tabs) count(page);
  for (const tab of tabs) await tab.synced();
  const phone = await browser.newContext();
  await copySession(context, phone);
  const there = await openTab(phone);
  await there.purr();
  for (const tab of [shop, ...tabs]) await expect(tab.purrs).toHaveText("1");
  expect([...streams]).toEqual([]);

  await shop.page.close();
  await expect.poll(() => streams.size).toBe(1);
  await there.purr();
  for (const tab of tabs) await expect(tab.purrs).toHaveText("2");
  await phone.close();
});

test("a stream that breaks with its server is taken up again when it is back", async ({
  browser,
  context,
  openTab,
  server,
  shop,
}) => {
  await shop.synced();
  await server.restart("SIGKILL");
  const phone = await browser.newContext();
  await copySession(context, phone);
  const there = await openTab(phone);
  await there.purr();
  await there.synced();
  await expect(shop.purrs).toHaveText("1", { timeout: 15_000 });
  await phone.close();
});

test("logging out on one device empties the page that is open on another, at once", async ({
  browser,
  context,
  openTab,
  shop,
}) => {
  await shop.logIn("Ann");
  await shop.write("For Ann alone");
  await shop.synced();
  const phone = await browser.newContext();
  await copySession(context, phone);
  const there = await openTab(phone);
  await expect(there.note).toHaveValue("For Ann alone");
  await there.logOut();
  await expect(shop.note).toHaveValue("");
  await expect(shop.page.getByRole("heading", { name: "Log in" })).toBeVisible();
  expect((await shop.kept()).databases).not.toContain("For Ann alone");
  await phone.close();
});
