import puppeteer, { type Browser, type Page } from "puppeteer-core";
import { test as base, expect } from "./test.ts";

interface Fixtures {
  /** A Chromium that lets its tabs freeze, and keeps pages in the back/forward cache. Under Playwright the same one does neither. */
  chromium: Browser;
  /** The shop in a tab of that Chromium, awake. */
  visitor: Page;
}

export const test = base.extend<Fixtures>({
  chromium: async ({ launchOptions }, use) => {
    const executablePath = launchOptions.executablePath as string;
    const args = [...(launchOptions.args ?? []), "--no-sandbox"];
    const chromium = await puppeteer.launch({ executablePath, args });
    const browserWSEndpoint = chromium.wsEndpoint();
    await use(chromium);
    // A test may have cut the connection.
    await (chromium.connected ? chromium : await puppeteer.connect({ browserWSEndpoint })).close();
  },
  visitor: async ({ chromium, server }, use) => {
    const page = await chromium.newPage();
    await page.goto(server.url);
    await shows(page, "Synced");
    await use(page);
  },
});

export { expect };

/** Waits until the page has this text, in front or not. */
export async function shows(page: Page, text: string): Promise<void> {
  const read = () => page.evaluate(() => document.body.innerText);
  await expect.poll(read, { intervals: [20, 50, 100] }).toContain(text);
}

/** The `Cookie` header that the browser would send. */
export async function cookieOf(chromium: Browser): Promise<string> {
  return (await chromium.cookies()).map(({ name, value }) => `${name}=${value}`).join("; ");
}

/** Freezes a tab behind one in `front`, as the browser does. Resolves when it stands still, to what makes it go on, in front. */
export async function freeze(page: Page, front: Page): Promise<() => Promise<void>> {
  // Else the browser would go on to think that it shows the frozen tab, and show it no more.
  await front.bringToFront();
  const devtools = await page.createCDPSession();
  await devtools.send("Page.setWebLifecycleState", { state: "frozen" });
  await expect.poll(() => standsStill(page)).toBe(true);
  return async () => {
    await devtools.send("Page.setWebLifecycleState", { state: "active" });
    await page.bringToFront();
    await expect.poll(() => page.evaluate(() => (window as unknown as { heard: number }).heard)).toBe(1);
    await devtools.detach();
  };
}

/** Whether a message that the page sends itself is not heard: timers of hidden tabs are slow as well, messages are not. */
async function standsStill(page: Page): Promise<boolean> {
  await page.evaluate(() => {
    const { port1, port2 } = new MessageChannel();
    Object.assign(window, { heard: 0 });
    port1.onmessage = () => Object.assign(window, { heard: 1 });
    port2.postMessage("are you there?");
  });
  await new Promise((resolve) => setTimeout(resolve, 100));
  return page.evaluate(() => (window as unknown as { heard: number }).heard === 0);
}
