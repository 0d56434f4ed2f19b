import { heapOf, type InPage, type InProfile, inChromium } from "./chromium.ts";
import { type Figure, median } from "./figure.ts";
import type { LibrariesBench, Name } from "./libraries/page.ts";

declare const bench: LibrariesBench;

const synchronous = ["zustand", "TinyBase", "TanStack Query"] as const;
const telling = [...synchronous, "Replicache", "Dexie"] as const;
const all = [...telling, "IndexedDB"] as const;

/** The session beside the libraries with which people would keep values in a browser, each with its persistence on. */
export async function besideLibraries(): Promise<Figure[]> {
  return inChromium("libraries/page.ts", async (inProfile) => {
    const readers = [...synchronous, "IndexedDB"] as const;
    const { IndexedDB: map, ...reads } = await inTurn(1, readers, inProfile, (inPage, name) =>
      inPage((page) => page.evaluate((name) => bench.reads(name), name)),
    );
    const told = (keys: number, writes: number) =>
      inTurn(1, telling, inProfile, (inPage, name) =>
        inPage((page) => page.evaluate((of) => bench.told(...of), [name, keys, writes] as const)),
      );
    const [ofFew, ofMany] = [await told(10, 50), await told(1_000, 20)];
    const { first, held, heldOnceRead } = await inProfile(fromDisk);
    const durable = await inTurn(1, all, inProfile, async (inPage, name) => {
      const time = await inPage((page) => page.evaluate((name) => bench.durable(name), name));
      await inPage((page) => page.evaluate((name) => bench.holds(name), name));
      return time;
    });
    const memory = beside("heap of 10,000 keys of 100 bytes", mb, held, ["IndexedDB"], 1.5);
    return [
      beside("synchronous read of one value", ns, { ...reads, Map: map }, synchronous, 1),
      beside("a write until its subscriber is told, 10 keys", us, ofFew, ["zustand"], 1),
      beside("the same, 1,000 keys of 100 bytes", us, ofMany, ["zustand"], 1),
      beside("first value of 10,000 keys of 100 bytes from disk", ms, first, ["zustand"], 1.2),
      { ...memory, ours: `${memory.ours}; ${mb(heldOnceRead)} when each was read` },
      beside("1,000 writes, a call for each, until all are on disk", ms, durable, telling, 1),
    ];
  });
}

/** Fills a disk with 10,000 values for each library, and measures how pages that come later read and hold them. */
async function fromDisk(inPage: InPage) {
  for (const name of ["catnap", ...all] as const) {
    await inPage((page) => page.evaluate((name) => bench.fill(name), name));
  }
  const same: InProfile = (use) => use(inPage);
  const first = await inTurn(1, all, same, (inPage, name) =>
    inPage((page) => page.evaluate((name) => bench.firstValue(name), name)),
  );
  const heap = (names: readonly (typeof all)[number][], readsAll: boolean) =>
    inTurn(1, names, same, (inPage, name) =>
      inPage((page) => heapOf(page, () => page.evaluate((of) => bench.hold(...of), [name, readsAll] as const))),
    );
  const held = await heap(all, false);
  const { catnap: heldOnceRead } = await heap([], true);
  return { first, held, heldOnceRead };
}

/** The median of each, and of Catnap, in rounds of one after the other, each round in a profile. */
async function inTurn<N extends Name>(
  rounds: number,
  names: readonly N[],
  inProfile: InProfile,
  measure: (inPage: InPage, name: N | "catnap") => Promise<number>,
): Promise<Record<N | "catnap", number>> {
  const samples = new Map((["catnap", ...names] as const).map((name) => [name, [] as number[]]));
  for (let n = 0; n < rounds; n++) {
    await inProfile(async (inPage) => {
      for (const [name, taken] of samples) taken.push(await measure(inPage, name));
    });
  }
  const medians = [...samples].map(([name, taken]) => [name, median(taken)]);
  // Of the names that were given.
  return Object.fromEntries(medians) as Record<N | "catnap", number>;
}

const ns = (time: number) => `${(time * 1e6).toFixed(1)} ns`;
const us = (time: number) => `${(time * 1e3).toFixed(1)} µs`;
const ms = (time: number) => `${time.toFixed(1)} ms`;
const mb = (bytes: number) => `${(bytes / 1e6).toFixed(2)} MB`;

/** Ours beside the least of what it has to match; the others in words. */
function beside(
  what: string,
  text: (measured: number) => string,
  { catnap, ...others }: { readonly catnap: number; readonly [name: string]: number },
  match: readonly string[],
  most: number,
): Figure {
  const rivals = Object.entries(others).sort(([, a], [, b]) => a - b);
  const [best, least] = rivals.find(([name]) => match.includes(name))!;
  const shown = rivals.filter(([name]) => name !== best).map(([name, one]) => `${name} ${text(one)}`);
  return {
    what,
    ours: text(catnap),
    rival: `${best}: ${text(least)}; ${shown.join(", ")}`,
    ratio: catnap / least,
    target: { most },
  };
}
