import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test as base, expect, type Page } from "@playwright/test";
import { NetworkServer } from "../src/networks/server.ts";

const test = base.extend<{ refusing: Page }>({
  /** A page of a browser that its user has told to let no site keep anything. */
  refusing: async ({ playwright, browserName, channel, launchOptions }, use, testInfo) => {
    if (browserName === "firefox") {
      const firefoxUserPrefs = { "network.cookie.cookieBehavior": 2 };
      const browser = await playwright.firefox.launch({
        ...launchOptions,
        ...(channel && { channel }),
        firefoxUserPrefs,
      });
      await use(await browser.newPage());
      return browser.close();
    }
    const profile = testInfo.outputPath("profile");
    await mkdir(join(profile, "Default"), { recursive: true });
    const preferences = { profile: { default_content_setting_values: { cookies: 2 } } };
    await writeFile(join(profile, "Default", "Preferences"), JSON.stringify(preferences));
    const context = await playwright.chromium.launchPersistentContext(profile, launchOptions);
    await use(await context.newPage());
    await context.close();
  },
});

test("where the user refuses cookies the session awakes, works while the page lives, and says why it keeps nothing", async ({
  refusing: page,
}) => {
  const uncaught: string[] = [];
  page.on("pageerror", (error) => uncaught.push(String(error)));
  const said: string[] = [];
  page.on("console", (message) => {
    if (message.text().startsWith("catnap: ")) said.push(message.text());
  });
  const server = await NetworkServer.start({ page: ({ app }) => `http://127.0.0.1:${app}/`, api: () => "/trpc" });
  await page.goto(server.url);
  const status = () => page.evaluate(() => globalThis.app?.session.status());
  await expect.poll(status).toMatchObject({ state: "synced", storage: "memory" });

  const write = (note: string) =>
    page.evaluate((text) => {
      const { session } = globalThis.app;
      session.setValue("note", text);
      return session.sleep().catch((error: { code: string }) => error.code);
    }, note);
  await write("first");
  expect(await write("second")).toBe("NO_COOKIE");
  expect(await page.evaluate(() => globalThis.app.session.value("note"))).toBe("second");
  const { problem } = await status();
  expect(problem).toEqual({ code: "NO_COOKIE", message: expect.stringContaining("the user refuses cookies") });
  expect([said, uncaught]).toEqual([[`catnap: ${problem?.message}`], []]);
  await server.close();
});
