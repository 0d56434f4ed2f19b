import { defineConfig } from "@playwright/test";
import { findChromium, findFirefox, findShell, findWebKit } from "./src/browsers.ts";

// The workers read this file again: what the first reading found is handed down to them.
process.env.CATNAP_SHELL ??= findShell() ?? "";
const shell = process.env.CATNAP_SHELL;
process.env.CATNAP_CHROMIUM = await findChromium();
const firefox = findFirefox();
const webkit = findWebKit();

function files(...specs: string[]): string[] {
  return specs.map((spec) => `${spec}.spec.ts`);
}
const inChromium = (executablePath: string) => ({
  browserName: "chromium" as const,
  launchOptions: {
    executablePath,
    args: [
      "--disable-quic",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--no-first-run",
    ],
  },
});
// How pages end, sleep and come back, and what a user has set: a shell without windows does not do all of it.
const ofWhole = files("page-end", "tab-close", "sleeping-page", "cookies-refused");
// What the server or the test kit decides is the same in every browser: Firefox does not repeat it.
const ofServer = files("checkout", "server-restart", "devices", "secrets", "session-fixture-rules");

export default defineConfig({
  testDir: "specs",
  fullyParallel: true,
  forbidOnly: true,
  retries: 0,
  workers: 2,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  reporter: [["list"]],
  use: { actionTimeout: 10_000, contextOptions: { reducedMotion: "reduce" } },
  projects: [
    { name: "chromium", use: inChromium(process.env.CATNAP_CHROMIUM), ...(shell && { testMatch: ofWhole }) },
    ...(shell ? [{ name: "chromium-shell", use: inChromium(shell), testIgnore: ofWhole }] : []),
    ...(firefox
      ? [
          {
            name: "firefox",
            // Playwright cannot open a profile of a system Firefox, nor crash its tabs. Other specs of these tags show what is the
            // same in every engine.
            grepInvert: /@profile|@chromium/,
            testIgnore: ofServer,
            use: {
              browserName: "firefox" as const,
              channel: "moz-firefox",
              launchOptions: { executablePath: firefox },
            },
          },
        ]
      : []),
    // Not by Playwright, which has a WebKit of its own: by WebDriver, as far as the specs of a page's end need it.
    ...(webkit ? [{ name: "webkitgtk", testMatch: "page-end.spec.ts", metadata: { webkit } }] : []),
  ],
});
