import { existsSync } from "node:fs";
import { chromium } from "@playwright/test";
import { unpackChromium } from "./unpacked-chromium.ts";

const systemChromium = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/usr/bin/google-chrome-stable",
  "/opt/google/chrome/chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
];
const systemFirefox = ["/usr/bin/firefox-esr", "/usr/bin/firefox"];
const webKitBrowsers = ["4.1", "4.0", "6.0"].map(
  (api) => `/usr/lib/${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu/webkit2gtk-${api}/MiniBrowser`,
);

/**
 * The Chromium to drive: the one that `CATNAP_CHROMIUM` names, Playwright's own, the system's, or, on Linux x64, the one
 * that `@sparticuz/chromium` carries in its npm tarball.
 */
export async function findChromium(): Promise<string> {
  const named = process.env.CATNAP_CHROMIUM;
  if (named !== undefined && !existsSync(named)) throw new Error(`CATNAP_CHROMIUM is "${named}", which does not exist`);
  const found = named ?? [chromium.executablePath(), ...systemChromium].find((path) => existsSync(path));
  if (found !== undefined) return found;
  if (process.platform === "linux" && process.arch === "x64") return unpackChromium();
  throw new Error(
    'There is no Chromium here. Run "npx playwright install chromium", or set CATNAP_CHROMIUM to the path of a Chromium or Chrome.',
  );
}

/**
 * Debian's Chromium without windows, which opens a page in a quarter of the time. Where it is not installed, or `CATNAP_CHROMIUM`
 * names the browser to drive, that one does all.
 */
export function findShell(): string | undefined {
  const shell = "/usr/bin/chromium-headless-shell";
  return process.env.CATNAP_CHROMIUM === undefined && existsSync(shell) ? shell : undefined;
}

/** Firefox, by `CATNAP_FIREFOX` or where Debian puts it; without one its project is left out, unless `CATNAP_REQUIRE=all`. */
export function findFirefox(): string | null {
  const named = process.env.CATNAP_FIREFOX;
  const found = (named === undefined ? systemFirefox : [named]).find((path) => existsSync(path));
  return found ?? missing("Firefox", "install firefox-esr, or set CATNAP_FIREFOX to its path");
}

/** WebKitGTK's small browser, where its driver and a screen for it are there as well; without them as `findFirefox`. */
export function findWebKit(): string | null {
  const browser = webKitBrowsers.find((path) => existsSync(path));
  const needed = ["/usr/bin/WebKitWebDriver", "/usr/bin/Xvfb"].every((path) => existsSync(path));
  return browser && needed ? browser : missing("WebKitGTK", "install webkit2gtk-driver and xvfb");
}

function missing(browser: string, remedy: string): null {
  if (process.env.CATNAP_REQUIRE === "all") {
    throw new Error(`CATNAP_REQUIRE=all, but there is no ${browser}: ${remedy}.`);
  }
  // Once, not again from each worker.
  if (process.env.TEST_WORKER_INDEX === undefined) console.log(`${browser} is not installed: its tests are left out.`);
  return null;
}
