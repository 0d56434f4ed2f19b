import type { BrowserContext } from "@playwright/test";
import { ShopPage } from "../src/shop-page.ts";
import type { ShopServer } from "../src/shop-server.ts";
import { expect, test } from "../src/test.ts";
import type { Fault, Wire } from "../src/wire.ts";

/** More of them, by the environment, for a longer look. */
const rounds = Number(process.env.CATNAP_ROUNDS ?? 27);

/** Makes changes through the page, and something go wrong with them; the page may be gone then. */
type Trouble = (shop: ShopPage, parts: { context: BrowserContext; server: ShopServer; wire: Wire }) => Promise<void>;

/** As fast as a page can: no wait between the change and what follows. */
const purr = (shop: ShopPage) => shop.page.evaluate(() => document.querySelector<HTMLElement>("button.cat")?.click());

const onTheWire =
  (fault: Fault): Trouble =>
  async (shop, { wire }) => {
    wire.fault = fault;
    await purr(shop);
    await expect.poll(() => wire.fault).toBe(null);
  };

const troubles: Record<string, Trouble> = {
  "request dropped": onTheWire("drop"),
  "request doubled": onTheWire("double"),
  "request delayed": onTheWire("delay"),
  "answer lost": onTheWire("lose"),
  "answer cut off": onTheWire("truncate"),
  "renderer killed after the change": async (shop, { context }) => {
    const devtools = await context.newCDPSession(shop.page);
    await purr(shop);
    const crashed = shop.page.waitForEvent("crash");
    devtools.send("Page.crash").catch(() => undefined);
    await crashed;
    await shop.page.close();
  },
  "tab closed during the push": async (shop, { wire }) => {
    wire.fault = "delay";
    const left = new Promise<void>((resolve) => {
      wire.onPush = resolve;
    });
    await purr(shop);
    await left;
    await purr(shop);
    await shop.page.close();
  },
  "server killed during the commit": async (shop, { server, wire }) => {
    const killed = new Promise<void>((resolve, reject) => {
      wire.onPush = () => {
        wire.onPush = () => undefined;
        // The request is on its way: a few milliseconds are enough for it to be anywhere between arrival and answer.
        setTimeout(() => server.restart("SIGKILL").then(resolve, reject), Math.random() * 8);
      };
    });
    await purr(shop);
    await killed;
  },
  "offline for the change": async (shop, { context }) => {
    await context.setOffline(true);
    await purr(shop);
    await purr(shop);
    await context.setOffline(false);
  },
};

test(`in ${rounds} rounds of trouble every change counts once`, { tag: "@chromium" }, async ({
  context,
  server,
  wire,
}) => {
  test.setTimeout(20_000 + rounds * 10_000);
  const names = Object.keys(troubles);
  const told: Record<string, number> = {};
  let [purrs, pushes] = [0, 0];
  let shop = await new ShopPage(await context.newPage()).open(wire.url);
  await shop.synced();
  for (let round = 0; round < rounds; round++) {
    const name = names[round % names.length] as string;
    const before = wire.responses.filter(({ url }) => url.includes("session.sync")).length;
    await troubles[name]?.(shop, { context, server, wire });
    wire.onPush = () => undefined;
    purrs += name === "tab closed during the push" || name === "offline for the change" ? 2 : 1;
    if (shop.page.isClosed()) shop = await new ShopPage(await context.newPage()).open(wire.url);
    // A page that has just lost the server waits for longer and longer: focus makes it try.
    else await shop.page.evaluate(() => window.dispatchEvent(new Event("focus")));
    await shop.synced();
    await expect(shop.purrs, `${name}, round ${round}`).toHaveText(String(purrs));
    await expect.poll(() => server.held(context), `${name}, round ${round}`).toMatchObject({ purrs });
    told[name] = (told[name] ?? 0) + 1;
    pushes += wire.responses.filter(({ url }) => url.includes("session.sync")).length - before;
  }
  console.log(
    `${purrs} changes in ${rounds} rounds, each counted once, over ${pushes} answered pushes: ${JSON.stringify(told)}`,
  );
});
