import { setTimeout as sleep } from "node:timers/promises";
import { type BrowserContext, test as base, expect } from "@playwright/test";
import { ShopPage } from "./shop-page.ts";
import { ShopServer } from "./shop-server.ts";
import { Wire } from "./wire.ts";

/** What every secret value of the demo starts with under test: see `canary.mjs`. */
const canary = "ca9a9155";

interface Fixtures {
  /** Looks, after each test, for canaries in all that the pages left open show and keep. */
  noSecretKept: undefined;
  /** The demo, started for this test alone. */
  server: ShopServer;
  /** A wire to it, of which every answer is kept and may get lost. */
  wire: Wire;
  /** The shop in a tab of the test's own browser context, open and awake. */
  shop: ShopPage;
  /** Another tab of a context, open and awake. */
  openTab: (context: BrowserContext) => Promise<ShopPage>;
}

export const test = base.extend<Fixtures>({
  // biome-ignore lint/correctness/noEmptyPattern: Playwright reads a fixture's needs off this pattern
  server: async ({}, use) => {
    const server = await ShopServer.start();
    await use(server);
    await server.dispose();
  },
  wire: async ({ server }, use) => {
    const wire = await Wire.to(server.url);
    await use(wire);
    wire.close();
  },
  noSecretKept: [
    async ({ context }, use) => {
      await use(undefined);
      for (const page of context.pages()) {
        const looked = Promise.all([
          new ShopPage(page).kept(),
          page.evaluate(() => document.documentElement.outerHTML + document.cookie + location.href),
        ]);
        // A page that a test has put to sleep, crashed or sent elsewhere has nothing to show.
        const found = await Promise.race([looked, sleep(2_000)]).catch(() => undefined);
        expect(JSON.stringify(found ?? "")).not.toContain(canary);
      }
    },
    { auto: true },
  ],
  baseURL: async ({ server }, use) => use(server.url),
  openTab: async ({ server }, use) => {
    await use(async (context) => new ShopPage(await context.newPage()).open(server.url));
  },
  shop: async ({ page }, use) => {
    await use(await new ShopPage(page).open());
  },
});

export { expect };
