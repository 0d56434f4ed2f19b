/** The page of the browser's figures. `page-server.ts` bundles and serves it, `browser.ts` calls `bench` from outside. */
import { createSessionClient } from "catnap/client";
import { getRows, openBare, putRows } from "./bare.ts";
import { transactionsBegun } from "./disk.ts";
import { median } from "./figure.ts";
import { fillSession, firstValue, value } from "./page-session.ts";
import { many, manyNames, thousand, thousandNames } from "./sessions.ts";

const http = { url: "/trpc" };
const never = () => new Promise<never>(() => {});
/** What is measured lives until its page closes. */
const held: unknown[] = [];

const bench = {
  /** Fills the session and the bare database, and waits until both are on disk; counts what a task of 1,000 writes takes. */
  async fill(): Promise<{ transactions: number }> {
    const session = createSessionClient({ definition: thousand, http });
    await session.awake();
    const before = transactionsBegun();
    await fillSession(session, thousandNames);
    const transactions = transactionsBegun() - before;
    await putRows(await openBare("rows"), valuesOf(thousandNames));
    return { transactions };
  },

  /** Fills the session of 10,000 keys, a bare database of as many rows, and one of all of them in one text. */
  async fillMany(): Promise<void> {
    const session = createSessionClient({ definition: many, http, path: "many" });
    await session.awake();
    await fillSession(session, manyNames);
    const values = valuesOf(manyNames);
    await putRows(await openBare("many"), values);
    await putRows(await openBare("blob"), [["blob", JSON.stringify({ state: Object.fromEntries(values) })]]);
  },

  /** From nothing to the last of 10,000 values, without the server; and what it takes to read one text of all of them. */
  async awakeMany(): Promise<number> {
    return timeToLast(many, manyNames);
  },

  async blob(): Promise<number> {
    const before = performance.now();
    const [text] = await getRows(await openBare("blob"));
    const { state } = JSON.parse(String(text)) as { state: Record<string, string> };
    held.push(state);
    const time = performance.now() - before;
    if (state[manyNames.at(-1)!] !== value(9_999)) throw new Error("the text is not what was written");
    return time;
  },

  /** Holds 10,000 values as rows, by name, as an app that reads them from IndexedDB itself would. */
  async holdRows(): Promise<void> {
    const rows = await getRows(await openBare("many"));
    held.push(new Map(manyNames.map((name, n) => [name, rows[n]])));
  },

  /** Milliseconds of a write while nothing waits, and while 9,000 changes do: the median of rounds side by side. */
  async waiting(): Promise<{ none: number; many: number }> {
    const surroundings = { indexedDB: undefined, localStorage: undefined, channel: undefined, page: undefined };
    const clients = [0, 9_000].map((count) => {
      const session = createSessionClient({ definition: many, http: { ...http, fetch: never }, surroundings });
      for (const name of manyNames.slice(0, count)) session.setValue(name, "x");
      return session;
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    const name = manyNames.at(-1)!;
    const samples = Array.from({ length: 200 }, (_, round) =>
      clients.map((session) => {
        const before = performance.now();
        for (let n = 0; n < 100; n++) session.setValue(name, `${round} ${n}`);
        return (performance.now() - before) / 100;
      }),
    );
    const [none, waiting] = [0, 1].map((which) => median(samples.map((sample) => sample[which]!)));
    return { none: none!, many: waiting! };
  },

  /** From nothing to the thousandth value, without the server. */
  async awake(): Promise<number> {
    return timeToLast(thousand, thousandNames);
  },

  /** The same values as rows of a bare database, by `getAll`. */
  async getAll(): Promise<number> {
    const before = performance.now();
    const rows = await getRows(await openBare("rows"));
    const time = performance.now() - before;
    if (rows.length !== 1_000) throw new Error("the rows are not what was written");
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

const valuesOf = (names: readonly string[]) => names.map((name, n) => [name, value(n)] as const);

async function timeToLast(definition: typeof thousand, names: readonly string[]): Promise<number> {
  const last = names.at(-1)!;
  const before = performance.now();
  const session = await firstValue(definition, last);
  const time = performance.now() - before;
  held.push(session);
  if (session.value(last) !== value(names.length - 1)) throw new Error("the cache is not what was written");
  return time;
}

export type PageBench = typeof bench;
Object.assign(globalThis, { bench });
