import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type Page } from "@playwright/test";
import { findChromium } from "../../e2e/src/browsers.ts";
import { startPageServer } from "./page-server.ts";

/** Runs in a page of its own, which is closed afterwards. The pages of one profile share its disk and its cookies. */
export type InPage = <T>(run: (page: Page) => Promise<T>) => Promise<T>;

/** Starts a Chromium with nothing on its disk, and ends it when `use` is done. */
export type InProfile = <T>(use: (inPage: InPage) => Promise<T>) => Promise<T>;

/** Serves the page that `entry` makes, for as long as `run` takes. */
export async function inChromium<T>(entry: string, run: (inProfile: InProfile) => Promise<T>): Promise<T> {
  const { origin, server } = await startPageServer(entry);
  const executablePath = await findChromium();
  const inProfile: InProfile = async (use) => {
    // A browser that is launched without a directory would keep its databases in memory.
    const directory = await mkdtemp(join(tmpdir(), "catnap-bench-"));
    const context = await chromium.launchPersistentContext(directory, {
      executablePath,
      args: ["--disable-quic", "--disable-background-networking"],
    });
    try {
      return await use(async (run) => {
        const page = await context.newPage();
        await page.goto(origin);
        const result = await run(page);
        await page.close();
        return result;
      });
    } finally {
      await context.close();
      await rm(directory, { recursive: true, force: true });
    }
  };
  try {
    return await run(inProfile);
  } finally {
    server.close();
  }
}

/** By how many bytes the page's heap has grown when `hold` is done, of what is still held. */
export async function heapOf(page: Page, hold: () => Promise<unknown>): Promise<number> {
  const devtools = await page.context().newCDPSession(page);
  const used = async () => {
    await devtools.send("HeapProfiler.collectGarbage");
    return (await devtools.send("Runtime.getHeapUsage")).usedSize;
  };
  const before = await used();
  await hold();
  return (await used()) - before;
}
