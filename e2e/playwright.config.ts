import { defineConfig } from "@playwright/test";
import { findChromium, findFirefox, findWebKit } from "./src/browsers.ts";

// The workers read this file again: what the first reading found is handed down to them.
process.env.CATNAP_CHROMIUM = await findChromium();
const firefox = findFirefox();
const webkit = findWebKit();

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
    {
      name: "chromium",
      use: {
        browserName: "chromium",
        launchOptions: {
          executablePath: process.env.CATNAP_CHROMIUM,
          args: [
            "--disable-quic",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
          ],
        },
      },
    },
    ...(firefox
      ? [
          {
            name: "firefox",
            // Playwright cannot open a profile of a system Firefox, nor crash its tabs.
            grepInvert: /@profile|@chromium/,
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
