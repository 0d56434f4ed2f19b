import puppeteer, { type Browser, type Page } from "puppeteer-core";
import { test as base, expect } from "../src/test.ts";

// Under Playwright a page is neither frozen nor put into the back/forward cache. Under Puppeteer it is, on the same Chromium.
const test = base.extend<{ chromium: Browser; visitor: Page }>({
  chromium: async ({ launchOptions }, use) => {
    const executablePath = launchOptions.executablePath as string;
    const args = [...(launchOptions.args ?? []), "--no-sandbox"];
    const chromium = await puppeteer.launch({ executablePath, args });
    await use(chromium);
    await chromium.close();
  },
  /** The shop in a tab of that Chromium, awake. */
  visitor: async ({ chromium, server }, use) => {
    const page = await chromium.newPage();
    await page.goto(server.url);
    await shows(page, "Synced");
    await use(page);
  },
});

const chromiumOnly = { tag: "@chromium" };

/** Waits until the page shows this text. */
async function shows(page: Page, text: string): Promise<void> {
  await page.waitForFunction((wanted) => document.body.innerText.includes(wanted), { timeout: 10_000 }, text);
}

const purr = (page: Page) => page.locator("button.cat").click();

async function logIn(page: Page, name: string): Promise<void> {
  await page.locator("#account-title ~ * input, section[aria-labelledby=account-title] input").fill(name);
  await page.locator("section[aria-labelledby=account-title] button").click();
  await shows(page, `Good evening, ${name}`);
  await shows(page, "Synced");
}

/** Until the server has ended the session, too, since the page also shows what the server says of it. */
async function logOut(page: Page): Promise<void> {
  const told = page.waitForResponse((response) => response.url().includes("session.invalidate"));
  await page.locator("text/Log out").click();
  await shows(page, "Log in");
  await told;
}

/** Remembers every text that the page shows from now on, whatever happens to it. */
async function record(page: Page): Promise<() => Promise<string>> {
  await page.evaluate(() => {
    const shown: string[] = [];
    Object.assign(window, { shown });
    const again = () => {
      shown.length = 0;
      requestAnimationFrame(() => shown.push(document.body.innerText));
    };
    window.addEventListener("pageshow", again);
    document.addEventListener("resume", again);
    new MutationObserver(() => shown.push(document.body.innerText)).observe(document.body, {
      subtree: true,
      childList: true,
      characterData: true,
    });
  });
  return () => page.evaluate(() => (window as unknown as { shown: string[] }).shown.join("\n"));
}

test(
  "a page with a live session goes into the back/forward cache, and shows what came meanwhile when it is back",
  chromiumOnly,
  async ({ chromium, server, visitor }) => {
    await purr(visitor);
    await shows(visitor, "Synced");
    await visitor.evaluate(() => {
      addEventListener("pageshow", ({ persisted }) => Object.assign(window, { persisted }));
    });
    await visitor.goto(`${server.url}/assets/`);

    const other = await chromium.newPage();
    await other.goto(server.url);
    await shows(other, "Synced");
    await purr(other);
    await shows(other, "Synced");
    await other.close();

    await visitor.goBack();
    expect(await visitor.evaluate(() => (window as unknown as { persisted?: boolean }).persisted)).toBe(true);
    await visitor.waitForFunction(() => document.querySelector(".cat .count")?.textContent === "2");
  },
);

test(
  "a page that comes back from the back/forward cache shows nothing of a session that was ended meanwhile",
  chromiumOnly,
  async ({ chromium, server, visitor }) => {
    await logIn(visitor, "Ada");
    const shown = await record(visitor);
    await visitor.goto(`${server.url}/assets/`);

    const other = await chromium.newPage();
    await other.goto(server.url);
    await shows(other, "Good evening, Ada");
    await logOut(other);

    await visitor.goBack();
    await shows(visitor, "Log in");
    expect(await shown()).toContain("Log in");
    expect(await shown()).not.toContain("Ada");
  },
);

test(
  "a frozen tab shows nothing of a session that was ended meanwhile",
  chromiumOnly,
  async ({ chromium, server, visitor }) => {
    await logIn(visitor, "Ada");
    const shown = await record(visitor);
    const other = await chromium.newPage();
    await other.goto(server.url);
    await shows(other, "Good evening, Ada");

    const devtools = await visitor.createCDPSession();
    await devtools.send("Page.setWebLifecycleState", { state: "frozen" });
    await logOut(other);

    await devtools.send("Page.setWebLifecycleState", { state: "active" });
    await visitor.bringToFront();
    await shows(visitor, "Log in");
    expect(await shown()).not.toContain("Ada");
  },
);
