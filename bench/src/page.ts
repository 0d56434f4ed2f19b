/** The page of the browser's figures. `page-server.ts` bundles and serves it, `browser.ts` calls `bench` from outside. */
import { createSessionClient } from "catnap/client";
import { median } from "./figure.ts";
import { thousand, thousandNames } from "./sessions.ts";

const http = { url: "/trpc" };
const value = (n: number) => `${n}`.padStart(98, "x");

let transactions = 0;
const begin = IDBDatabase.prototype.transaction;
IDBDatabase.prototype.transaction = function (...args) {
  transactions++;
  return begin.apply(this, args);
};

const bench = {
  /** Fills the session and the bare database, and waits until both are on disk; counts what a task of 1,000 writes takes. */
  async fill(): Promise<{ transactions: number }> {
    const session = createSessionClient({ definition: thousand, http });
    await session.awake();
    transactions = 0;
    for (const [n, name] of thousandNames.entries()) session.setValue(name, value(n));
    await session.sleep();
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    const counted = transactions;
    session.close();
    const database = await openBare();
    const writing = database.transaction("rows", "readwrite");
    for (const [n, name] of thousandNames.entries()) writing.objectStore("rows").put(value(n), name);
    await new Promise((resolve) => {
      writing.oncomplete = resolve;
    });
    return { transactions: counted };
  },

  /** From nothing to the thousandth value, without the server. */
  async awake(): Promise<number> {
    const never = () => new Promise<never>(() => {});
    const last = thousandNames.at(-1)!;
    const before = performance.now();
    const session = createSessionClient({ definition: thousand, http: { ...http, fetch: never } });
    const shown = new Promise<void>((resolve) => void session.subscribe(last, resolve));
    void session.awake();
    await shown;
    const time = performance.now() - before;
    if (session.value(last) !== value(999)) throw new Error("the cache is not what was written");
    return time;
  },

  /** The same values as rows of a bare database, by `getAll`. */
  async getAll(): Promise<number> {
    const before = performance.now();
    const database = await openBare();
    const request = database.transaction("rows").objectStore("rows").getAll();
    await new Promise((resolve) => {
      request.onsuccess = resolve;
    });
    const time = performance.now() - before;
    if (request.result.length !== 1_000) throw new Error("the rows are not what was written");
    return time;
  },

  /** Nanoseconds of a read of the session and of a Map, the median of rounds side by side. */
  async reads(): Promise<{ session: number; map: number }> {
    const session = createSessionClient({ definition: thousand, http });
    await session.awake();
    const names = thousandNames.slice(0, 16);
    const map = new Map(names.map((name) => [name, session.value(name)]));
    const time = (read: (name: string) => string | undefined) => {
      let length = 0;
      const before = performance.now();
      for (let n = 0; n < 1_000_000; n++) length += read(names[n & 15]!)!.length;
      const took = performance.now() - before;
      if (length !== 98_000_000) throw new Error("a read gave something else");
      return took;
    };
    const samples = Array.from({ length: 15 }, () => [
      time((name) => session.value(name)),
      time((name) => map.get(name)),
    ]);
    return { session: median(samples.map(([own]) => own!)), map: median(samples.map(([, other]) => other!)) };
  },
};

function openBare(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open("bare");
    request.onupgradeneeded = () => void request.result.createObjectStore("rows");
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

export type PageBench = typeof bench;
Object.assign(globalThis, { bench });
