import { chromium, type Page } from "@playwright/test";
import { findChromium } from "../../e2e/src/browsers.ts";
import { type Figure, median } from "./figure.ts";
import type { PageBench } from "./page.ts";
import { startPageServer } from "./page-server.ts";

declare const bench: PageBench;

/** What the client costs in a real browser: reads, the first sight of what the disk holds, and a thousand writes. */
export async function besideBrowser(): Promise<Figure[]> {
  const { origin, server } = await startPageServer();
  const executablePath = await findChromium();
  const browser = await chromium.launch({
    executablePath,
    args: ["--disable-quic", "--disable-background-networking"],
  });
  try {
    const context = await browser.newContext();
    /** Runs in a page of its own. */
    const fresh = async <T>(run: (page: Page) => Promise<T>): Promise<T> => {
      const page = await context.newPage();
      await page.goto(origin);
      const result = await run(page);
      await page.close();
      return result;
    };
    const { requests, transactions } = await fresh(async (page) => {
      const bodies: string[] = [];
      page.on("request", (request) => bodies.push(request.postData() ?? ""));
      const counted = await page.evaluate(() => bench.fill());
      return { ...counted, requests: bodies.filter((body) => body.includes('"value"')).length };
    });
    const loads: [number, number][] = [];
    for (let n = 0; n < 25; n++) {
      const awake = await fresh((page) => page.evaluate(() => bench.awake()));
      loads.push([awake, await fresh((page) => page.evaluate(() => bench.getAll()))]);
    }
    const reads = await fresh((page) => page.evaluate(() => bench.reads()));
    const [awake, getAll] = [median(loads.map(([own]) => own)), median(loads.map(([, other]) => other))];
    const written = "1,000 setValue calls in one task";
    return [
      {
        what: "synchronous read of the client's session",
        ours: `${reads.session.toFixed(1)} ns`,
        rival: `Map.get: ${reads.map.toFixed(1)} ns`,
        ratio: reads.session / reads.map,
        target: { most: 3 },
      },
      {
        what: "cold awake with 1,000 keys of 100 bytes, Chromium",
        ours: `${awake.toFixed(1)} ms`,
        rival: `bare IndexedDB getAll of 1,000 rows: ${getAll.toFixed(1)} ms`,
        ratio: awake / getAll,
        target: { most: 1.5 },
      },
      { what: written, ours: `${requests} HTTP requests`, rival: "one", ratio: requests, target: { most: 1 } },
      {
        what: written,
        ours: `${transactions} IndexedDB transactions`,
        rival: "two",
        ratio: transactions,
        target: { most: 2 },
      },
    ];
  } finally {
    await browser.close();
    server.close();
  }
}
