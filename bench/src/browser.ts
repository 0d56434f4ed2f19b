import { heapOf, type InPage, inChromium } from "./chromium.ts";
import { type Figure, median } from "./figure.ts";
import type { PageBench } from "./page.ts";

declare const bench: PageBench;

/** What the client costs in a real browser: reads, the first sight of what the disk holds, and a thousand writes. */
export async function besideBrowser(): Promise<Figure[]> {
  return inChromium("page.ts", (inProfile) => inProfile(measure));
}

async function measure(fresh: InPage): Promise<Figure[]> {
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
  await fresh((page) => page.evaluate(() => bench.fillMany()));
  const manyLoads: [number, number][] = [];
  for (let n = 0; n < 15; n++) {
    const awake = await fresh((page) => page.evaluate(() => bench.awakeMany()));
    manyLoads.push([awake, await fresh((page) => page.evaluate(() => bench.blob()))]);
  }
  const heaps: [number, number][] = [];
  for (let n = 0; n < 5; n++) {
    const own = await fresh(async (page) => heapOf(page, () => page.evaluate(() => bench.awakeMany())));
    heaps.push([own, await fresh(async (page) => heapOf(page, () => page.evaluate(() => bench.holdRows())))]);
  }
  const waiting = await fresh((page) => page.evaluate(() => bench.waiting()));
  const reads = await fresh((page) => page.evaluate(() => bench.reads()));
  const [awake, getAll] = medians(loads);
  const [awakeMany, blob] = medians(manyLoads);
  const [heap, rows] = medians(heaps);
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
    {
      what: "first value of 10,000 keys of 100 bytes from disk",
      ours: `${awakeMany.toFixed(1)} ms`,
      rival: `one text of all of them: ${blob.toFixed(1)} ms`,
      ratio: awakeMany / blob,
      target: { most: 1.2 },
    },
    {
      what: "heap of 10,000 keys of 100 bytes",
      ours: `${(heap / 1e6).toFixed(2)} MB`,
      rival: `rows of bare IndexedDB: ${(rows / 1e6).toFixed(2)} MB`,
      ratio: heap / rows,
      target: { most: 1.5 },
    },
    {
      what: "one write while 9,000 changes wait",
      ours: `${(waiting.many * 1000).toFixed(1)} µs`,
      rival: `while none does: ${(waiting.none * 1000).toFixed(1)} µs`,
      ratio: waiting.many / waiting.none,
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
}

function medians(pairs: readonly [number, number][]): [number, number] {
  return [median(pairs.map(([own]) => own)), median(pairs.map(([, other]) => other))];
}
