import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { counter, defineSession } from "catnap";
import { expect, sessionTest } from "catnap/playwright";
import { createSessions } from "catnap/server";
import { sqliteStore } from "catnap/sqlite";
import { z } from "zod";
import { ShopPage } from "../src/shop-page.ts";
import { ShopServer } from "../src/shop-server.ts";

/** Of the demo's definition, what these tests touch; a user's suite imports the app's own. */
const definition = defineSession({
  shared: { cart: z.array(z.object({ sku: z.string(), count: z.number() })), note: z.string(), purrs: counter() },
  readonly: { user: z.object({ id: z.string(), name: z.string() }) },
  secret: { csrfSeed: z.string() },
});

const folder = mkdtempSync(join(tmpdir(), "catnap-fixture-"));
// As the demo's own, over the same file; any local origin gives the cookie its plain name.
const sessions = createSessions({
  definition,
  store: sqliteStore(join(folder, "sessions.db")),
  origins: ["http://127.0.0.1:3000"],
});

const test = sessionTest({ sessions }).extend({
  // biome-ignore lint/correctness/noEmptyPattern: Playwright reads a fixture's needs off this pattern
  baseURL: async ({}, use) => {
    const server = await ShopServer.start(folder);
    await use(server.url);
    await server.end();
  },
});
// One worker after the other: the sessions above are closed once, after the last of these tests.
test.describe.configure({ mode: "default" });
test.afterAll(async () => {
  await sessions.close();
  rmSync(folder, { recursive: true, force: true });
});

test("a user's suite seeds a session and logs in without the pages of the app", async ({ page, session }) => {
  await session.seed({ cart: [{ sku: "lamp", count: 2 }], note: "seeded", csrfSeed: "a secret" });
  await session.login("ada");
  await session.seed({ user: { id: "ada", name: "Ada" } });
  const shop = await new ShopPage(page).open();
  await expect(shop.note).toHaveValue("seeded");
  await expect(page.getByRole("heading", { name: "Good evening, Ada" })).toBeVisible();
  expect(await session.value("csrfSeed")).toBe("a secret");
  expect(await session.run((held) => held.subject())).toBe("ada");
});

test("a user's suite puts the tab to sleep and reads what went home", async ({ page, session }) => {
  const shop = await new ShopPage(page).open();
  await shop.purr();
  await session.sleep(page);
  await expect(session).toHaveValue("purrs", 1);
});

test("a user's suite wakes a tab that sleeps, which is live again", async ({ page, session }) => {
  const shop = await new ShopPage(page).open();
  await shop.synced();
  await shop.purr();
  await session.sleep(page);
  await session.seed({ purrs: 5 });
  await expect(shop.status).toHaveText("Asleep");
  expect(await page.evaluate(() => [document.visibilityState, document.hidden])).toEqual(["hidden", true]);
  await session.wake(page);
  await expect(shop.purrs).toHaveText("5");
  await shop.synced();
  expect(await page.evaluate(() => [document.visibilityState, document.hidden])).toEqual(["visible", false]);
  // What the server changes now shows by itself, and what the page changes goes home by itself.
  await session.seed({ purrs: 7 });
  await expect(shop.purrs).toHaveText("7");
  await shop.purr();
  await expect(session).toHaveValue("purrs", 8);
});

test("a clean tab sleeps without waiting for a push that does not come", async ({ page, session }) => {
  const shop = await new ShopPage(page).open();
  await shop.synced();
  const before = performance.now();
  await session.sleep(page);
  expect(performance.now() - before).toBeLessThan(1_500);
});

test("a user's suite cuts the network, and gives it back", async ({ page, session }) => {
  const shop = await new ShopPage(page).open();
  await shop.synced();
  await session.offline(true);
  await shop.purr();
  await expect(shop.status).toContainText("1");
  expect(await session.value("purrs")).toBe(0);
  await session.offline(false);
  await expect(session).toHaveValue("purrs", 1);
});

test("a user's suite kills the tab, and finds the change in the next", { tag: "@chromium" }, async ({
  context,
  page,
  session,
}) => {
  const shop = await new ShopPage(page).open();
  await shop.synced();
  await shop.purr();
  await expect(shop.purrs).toHaveText("1");
  await session.kill(page);
  await new ShopPage(await context.newPage()).open();
  await expect(session).toHaveValue("purrs", 1);
});
