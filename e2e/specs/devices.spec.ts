import type { BrowserContext } from "@playwright/test";
import { expect, test } from "../src/test.ts";

test("two visitors share nothing", async ({ browser, context, openTab, server, shop }) => {
  await shop.add("Linen blanket");
  await shop.write("Mine alone");
  await shop.synced();

  const stranger = await browser.newContext();
  const theirs = await openTab(stranger);
  await theirs.synced();
  await expect(theirs.visits).toHaveText("1");
  await expect(theirs.note).toHaveValue("");
  await expect(theirs.total).toHaveText("€0.00");
  expect(await theirs.identifier()).not.toBe(await shop.identifier());
  expect(await server.held(stranger)).not.toEqual(await server.held(context));
  await stranger.close();
});

test("two devices of one session that were both offline both count", async ({
  browser,
  context,
  openTab,
  server,
  shop,
}) => {
  await shop.synced();
  const phone = await browser.newContext();
  await copySession(context, phone);
  const there = await openTab(phone);
  await there.synced();
  await expect(there.visits).toHaveText("2");

  await Promise.all([context.setOffline(true), phone.setOffline(true)]);
  await shop.purr();
  await shop.purr();
  await shop.add("Bed socks");
  await there.purr();
  await there.add("Moon lamp");
  await expect(shop.status).toContainText("Offline");
  await expect(there.status).toContainText("Offline");

  await context.setOffline(false);
  await shop.synced();
  await phone.setOffline(false);
  await there.synced();
  await expect(there.purrs).toHaveText("3");
  await expect(there.count("Bed socks")).toHaveText("1");
  await expect(there.count("Moon lamp")).toHaveText("1");
  await expect.poll(() => server.held(context)).toMatchObject({ purrs: 3, visits: 2 });

  // The first device learns of it by itself.
  await expect(shop.purrs).toHaveText("3");
  await expect(shop.count("Moon lamp")).toHaveText("1");
  await phone.close();
});

async function copySession(from: BrowserContext, to: BrowserContext): Promise<void> {
  await to.addCookies(await from.cookies());
}
