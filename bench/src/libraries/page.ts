/** The page of the libraries' figures. `page-server.ts` bundles and serves it, `libraries.ts` calls `bench` from outside. */
import { diskIsQuiet } from "../disk.ts";
import { median } from "../figure.ts";
import { value } from "../page-session.ts";
import { manyNames, thousandNames } from "../sessions.ts";
import { catnap } from "./catnap.ts";
import { dexie } from "./dexie.ts";
import { indexedDb } from "./indexed-db.ts";
import type { Kept, Library } from "./library.ts";
import { replicache } from "./replicache.ts";
import { tanstack } from "./tanstack.ts";
import { tinybase } from "./tinybase.ts";
import { zustand } from "./zustand.ts";

const libraries = {
  catnap,
  zustand,
  TinyBase: tinybase,
  "TanStack Query": tanstack,
  Replicache: replicache,
  Dexie: dexie,
  IndexedDB: indexedDb,
} satisfies Record<string, Library>;
export type Name = keyof typeof libraries;

/** What is measured lives until its page closes. */
const held: unknown[] = [];

const bench = {
  /** Milliseconds of a read of one of 16 values, of 1,000. */
  async reads(library: Name): Promise<number> {
    const { read, writeAll } = await openToWrite(library, thousandNames);
    await writeAll(valuesOf(thousandNames, "read "));
    const names = thousandNames.slice(0, 16);
    const count = 200_000;
    const samples = Array.from({ length: 15 }, () => {
      let length = 0;
      const before = performance.now();
      for (let n = 0; n < count; n++) length += (read(names[n & 15]!) as string).length;
      const took = performance.now() - before;
      if (length !== count * 98) throw new Error("a read gave something else");
      return took / count;
    });
    return median(samples);
  },

  /** Milliseconds of a write of one of so many values until its subscriber was told: the median of rounds of so many writes. */
  async told(library: Name, keys: number, writes: number): Promise<number> {
    const names = thousandNames.slice(0, keys);
    const { writeAll, write, subscribe, joins } = await openToWrite(library, thousandNames);
    await writeAll(valuesOf(names, "told "));
    await diskIsQuiet();
    let told = 0;
    let wake = () => {};
    subscribe?.(names[0]!, () => {
      told++;
      wake();
    });
    const until = async (count: number) => {
      while (told < count) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    };
    const samples: number[] = [];
    for (let round = 0; round < 7; round++) {
      // Some libraries tell who subscribes of what there is.
      await diskIsQuiet();
      told = 0;
      const before = performance.now();
      for (let n = 0; n < writes; n++) {
        const written = write(names[0]!, value(`${round} ${n}`));
        if (joins) await Promise.all([written, until(n + 1)]);
      }
      await until(writes);
      samples.push((performance.now() - before) / writes);
      if (told !== writes) throw new Error(`told ${told} times of ${writes} writes`);
    }
    return median(samples);
  },

  /** Fills the library's disk with 10,000 values. */
  async fill(library: Name): Promise<void> {
    const { fill }: Library = libraries[library];
    const values = valuesOf(manyNames, "");
    if (fill) await fill(values);
    else await (await openToWrite(library, manyNames)).writeAll(values);
    await diskIsQuiet();
  },

  /** Milliseconds from nothing to where the last of 10,000 values can be read. */
  async firstValue(library: Name): Promise<number> {
    const before = performance.now();
    const kept = await libraries[library].open(manyNames);
    const last = await kept.read(manyNames.at(-1)!);
    const time = performance.now() - before;
    held.push(kept);
    if (last !== value(9_999)) throw new Error(`the disk holds ${last}`);
    return time;
  },

  /** Holds 10,000 values, and reads each once if that is asked for. */
  async hold(library: Name, readsAll: boolean): Promise<void> {
    const kept = await libraries[library].open(manyNames);
    held.push(kept);
    if (readsAll) for (const name of manyNames) await kept.read(name);
  },

  /** Milliseconds from the first of 1,000 writes, a call for each, until all are on disk. */
  async durable(library: Name): Promise<number> {
    const { write } = await openToWrite(library, thousandNames);
    await diskIsQuiet();
    const values = valuesOf(thousandNames, "durable ");
    const before = performance.now();
    await Promise.all(values.map(([name, value]) => write(name, value)));
    return (await diskIsQuiet()) - before;
  },

  /** Whether a page that comes later finds what `durable` has written. */
  async holds(library: Name): Promise<void> {
    const { read } = await libraries[library].open(thousandNames);
    for (const [name, value] of valuesOf(thousandNames, "durable ")) {
      if ((await read(name)) !== value) throw new Error(`${library}: ${name} is not on disk`);
    }
  },
};

async function openToWrite(library: Name, names: readonly string[]): Promise<Kept> {
  const kept: Kept = await libraries[library].open(names);
  await kept.saves;
  return kept;
}

const valuesOf = (names: readonly string[], mark: string) =>
  names.map((name, n) => [name, value(`${mark}${n}`)] as const);

export type LibrariesBench = typeof bench;
Object.assign(globalThis, { bench });
