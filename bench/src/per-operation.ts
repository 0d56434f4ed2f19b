import type { Commit, SessionStore } from "catnap/server";
import type { Database } from "./databases.ts";
import { quantile } from "./figure.ts";
import { each } from "./fill.ts";
import { sized } from "./sizes.ts";

/** Microseconds of CPU that one operation takes. */
export interface Cost {
  readonly database: number;
  readonly own: number;
}

/** The same sessions through a store that keeps what it has read in memory, and through one that keeps nothing. */
export interface Stores {
  readonly keeping: SessionStore;
  readonly forgetting: SessionStore;
}

const perRound = 400;
/** So many sessions of ten values fit into `cacheBytes`, by default. */
const kept = 1_000;
const touchesAtOnce = 200;

/** What an operation costs in the database and in this process, which does nothing else meanwhile. */
async function costOf(database: Database, count: number, round: (n: number) => Promise<unknown>): Promise<Cost> {
  const [theirs, ours]: [number[], number[]] = [[], []];
  // The first rounds warm up; what else the machine does can only add to one of the others.
  for (let n = -3; n < sized("ROUNDS", 40); n++) {
    const [before, since] = [database.cpu(), process.cpuUsage()];
    await round(n + 3);
    const { user, system } = process.cpuUsage(since);
    if (n < 0) continue;
    theirs.push((database.cpu() - before) / count);
    ours.push((user + system) / count);
  }
  return { database: quantile(theirs, 0.25), own: quantile(ours, 0.25) };
}

/** A part of the list for each round, from its beginning again after its end. */
const turn = <T>(list: readonly T[], size: number, round: number): T[] =>
  Array.from({ length: size }, (_, n) => list[(round * size + n) % list.length]!);

const change = (n: number): Commit => ({
  now: Date.now(),
  accessedAt: Date.now(),
  transactions: 1,
  expect: new Map(),
  changes: new Map([["k5", { value: JSON.stringify(`${n}`.padStart(98, "x")), writer: "server", seq: 0 }]]),
});

/** A value of 100 bytes changed in each of some sessions, sixteen at a time. */
export function costOfChange(database: Database, store: SessionStore, keys: readonly string[]): Promise<Cost> {
  return costOf(database, perRound, (round) =>
    each(turn(keys, perRound, round), async (key, n) => {
      const { ok } = await store.write(key, change(round * perRound + n));
      if (!ok) throw new Error("the store refuses a change");
    }),
  );
}

/** What each operation of a request costs on such sessions, sixteen at a time. */
export async function costsOf(database: Database, { keeping, forgetting }: Stores, keys: readonly string[]) {
  const some = keys.slice(0, kept);
  const read = (store: SessionStore, of: readonly string[]) =>
    costOf(database, perRound, (round) => each(turn(of, perRound, round), (key) => store.read(key)));
  await each(some, (key) => keeping.read(key));
  const touches = (round: number) =>
    turn(keys, touchesAtOnce, round).map((key) => ({ key, accessedAt: Date.now(), transactions: 1 }));
  return {
    "read of a session that is not in memory": await read(forgetting, keys),
    "read of a session that is in memory": await read(keeping, some),
    "change of one value": await costOfChange(database, keeping, keys),
    "access time, 200 in a call": await costOf(database, touchesAtOnce, (round) => keeping.touch(touches(round))),
  };
}

export type Costs = Awaited<ReturnType<typeof costsOf>>;
