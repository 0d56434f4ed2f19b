import { type BrowserContext, test as base } from "@playwright/test";
import { ShopPage } from "./shop-page.ts";
import { ShopServer } from "./shop-server.ts";
import { Wire } from "./wire.ts";

interface Fixtures {
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
  baseURL: async ({ server }, use) => use(server.url),
  openTab: async ({ server }, use) => {
    await use(async (context) => new ShopPage(await context.newPage()).open(server.url));
  },
  shop: async ({ page }, use) => {
    await use(await new ShopPage(page).open());
  },
});

export { expect } from "@playwright/test";
