import type { Page } from "puppeteer-core";
import { discard } from "../src/discard.ts";
import { cookieOf, expect, freeze, shows, test } from "../src/puppeteer-test.ts";
import { changeAtOnce, focusAgain, readValues } from "../src/shop-script.ts";
import type { ShopServer } from "../src/shop-server.ts";

const chromiumOnly = { tag: "@chromium" };

const note = "The key is under the mat";
/** What the cart shows of them, and the catalogue does not. */
const socks = "Bed socks\n€19.00\n−\n1\n+";
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

test.beforeEach(async ({ chromium }) => {
  const isShell = (await chromium.version()).startsWith("HeadlessChrome");
  test.skip(isShell && process.env.CATNAP_REQUIRE !== "all", "A headless shell caches no page and discards no tab");
});

/** Remembers everything that the page shows from now on, or since it was frozen last: each frame, and each change in between. */
async function record(page: Page): Promise<() => Promise<string>> {
  await page.evaluate(() => {
    const shown: string[] = [];
    Object.assign(window, { shown });
    let frozen = false;
    const look = () => {
      if (frozen) return;
      const theme = `Theme: ${document.documentElement.dataset.theme}`;
      shown.push(theme, document.body.innerText, document.querySelector("textarea")?.value ?? "");
    };
    const eachFrame = () => {
      look();
      requestAnimationFrame(eachFrame);
    };
    eachFrame();
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
    // What React has begun as the page was left may come after it was frozen: nobody sees that.
    document.addEventListener("freeze", () => {
      shown.length = 0;
      frozen = true;
    });
    document.addEventListener("resume", () => {
      frozen = false;
    });
  });
  return () => page.evaluate(() => (window as unknown as { shown: string[] }).shown.join("\n"));
}

/** Leaves private values in a session of three seconds, of which the page knows. Gives what waits for its end. */
async function liveShortly(server: ShopServer, page: Page): Promise<() => Promise<void>> {
  await logIn(page, "Ada");
  await page.locator(".theme-switch").click();
  await page.locator("textarea").fill(note);
  await page.locator(".tile[data-sku=socks] button").click();
  await shows(page, "Not sent yet");
  await shows(page, "Synced");
  const identifier = await page.$eval("[data-testid=identifier]", (shown) => shown.textContent);
  await server.shorten(identifier, 3);
  const told = page.waitForResponse((response) => response.url().includes("session.sync"));
  await page.evaluate(focusAgain);
  await told;
  return () => expect.poll(() => server.hasExpired(identifier)).toBe(true);
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
    // A frozen tab still hears its siblings: of this one nothing but the logout shall come.
    await shows(other, "Synced");

    const thaw = await freeze(visitor, other);
    await logOut(other);

    await thaw();
    await shows(visitor, "Log in");
    expect(await shown()).not.toContain("Ada");
  },
);

for (const { kind, rests } of [
  { kind: "a tab that was frozen", rests: async (page: Page) => freeze(page, await page.browser().newPage()) },
  {
    kind: "a page in the back/forward cache",
    rests: async (page: Page) => {
      await page.goto(new URL("/assets/", page.url()).href);
      return () => page.goBack();
    },
  },
]) {
  test(
    `${kind} for longer than its session lives shows nothing of it from its first frame on but the theme, though the server is away`,
    chromiumOnly,
    async ({ server, visitor }) => {
      const over = await liveShortly(server, visitor);
      const shown = await record(visitor);
      for (const secret of ["Ada", note, socks]) expect(await shown()).toContain(secret);
      const comeBack = await rests(visitor);
      await over();
      await server.end("SIGKILL");
      await comeBack();
      // It is looked at once a frame, so that there are frames.
      await visitor.waitForFunction(() => document.body.innerText.includes("Away for long"), { polling: "raf" });
      await server.start();
      await visitor.evaluate(focusAgain);
      // In a session of its own: the theme was taken along.
      await shows(visitor, "Synced");
      const all = await shown();
      expect(all).toContain("Nothing yet. Take your time.");
      for (const gone of ["Ada", note, socks, "Theme: light"]) expect(all).not.toContain(gone);
      expect(await server.held(await cookieOf(visitor.browser()))).toEqual({ theme: "dark" });
    },
  );
}

test(
  "a discarded tab sends its unsent changes home, once, when somebody looks at it again",
  chromiumOnly,
  async ({ chromium, server, wire }) => {
    const page = await chromium.newPage();
    await page.goto(wire.url);
    await shows(page, "Synced");
    const kept = wire.strike("late");
    // Not typed: the browser discards no tab into whose form somebody has typed.
    await page.evaluate(changeAtOnce, { sku: "socks", note });
    await kept;
    expect(await server.held(await cookieOf(chromium))).toEqual({ visits: 1 });

    const tab = await discard(chromium, wire.url);
    wire.mend();
    await tab.bringToFront();
    await shows(tab, "Synced");
    expect(await tab.evaluate(() => (document as { wasDiscarded?: boolean }).wasDiscarded)).toBe(true);
    expect(await tab.evaluate(readValues)).toEqual({ visits: 2, purrs: 1, note, cart: { socks: 1 } });
    await wire.deliverLate();
    const held = await server.held(await cookieOf(tab.browser()));
    expect(held).toEqual({ visits: 2, purrs: 1, note, cart: [{ sku: "socks", count: 1 }] });
  },
);
