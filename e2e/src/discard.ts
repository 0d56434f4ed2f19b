import puppeteer, { type Browser, type Page } from "puppeteer-core";
import { expect } from "./puppeteer-test.ts";

/** The browser's own page about its tabs. */
const address = "chrome://discards/";

/**
 * Discards the tab at this address, as the browser does when memory runs short: its process ends without a word to the page,
 * and the tab keeps its place. Gives the tab by a new connection, since none is discarded while somebody is connected to it.
 */
export async function discard(chromium: Browser, url: string): Promise<Page> {
  const browserWSEndpoint = chromium.wsEndpoint();
  await openTabsPage(chromium);
  await chromium.disconnect();
  const others = await puppeteer.connect({
    browserWSEndpoint,
    targetFilter: (target) => !target.url().startsWith(url),
  });
  const tabs = await pageAt(others, address);
  const isDiscarded = () =>
    tabs.evaluate((url) => {
      const list = document.querySelector("discards-main")?.shadowRoot?.querySelector("discards-tab")?.shadowRoot;
      const row = [...(list?.querySelectorAll("tbody tr") ?? [])].find((row) => row.textContent.includes(url));
      if (row?.textContent.includes("discarded")) return true;
      const actions = [...(row?.querySelectorAll<HTMLElement>(".actions-cell [is=action-link]") ?? [])];
      actions.find((action) => action.textContent.includes("Urgent Discard"))?.click();
      return false;
    }, url);
  await expect.poll(isDiscarded).toBe(true);
  await others.disconnect();
  return pageAt(await puppeteer.connect({ browserWSEndpoint }), url);
}

/** The page at this address, which a new connection may come to know a little later than others. */
async function pageAt(chromium: Browser, url: string): Promise<Page> {
  const target = await chromium.waitForTarget((target) => target.type() === "page" && target.url().startsWith(url));
  return target.asPage();
}

async function openTabsPage(chromium: Browser): Promise<void> {
  const page = await chromium.newPage();
  await page.goto(address);
  if (await page.$("discards-main")) return;
  // Pages of this kind are for those who have asked for them.
  await page.goto("chrome://chrome-urls");
  await page.locator("chrome-urls-app >>> cr-button").click();
  await page.goto(address);
}
