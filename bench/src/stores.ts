import { type Contestant, race, start } from "./contestant.ts";
import { type Database, startPostgres, startRedis } from "./databases.ts";
import type { Figure } from "./figure.ts";
import { lostUpdates, perSecond } from "./http.ts";
import { bytesAtRest, bytesSent } from "./redis-bytes.ts";

const k50 = (n: number) => ({ key: "k50", value: `value ${n}` });
const shots = {
  ours: { read: { path: "/trpc/get" }, change: { path: "/trpc/set", body: k50 } },
  express: { read: { path: "/get" }, change: { path: "/set", body: k50 } },
};

interface Rival {
  readonly kind: "redis" | "postgres";
  readonly open: () => Promise<Database | undefined>;
  readonly store: string;
  readonly least: { readonly read: number; readonly change: number };
}

const rivals: readonly Rival[] = [
  { kind: "redis", open: startRedis, store: "connect-redis", least: { read: 1.3, change: 2.5 } },
  { kind: "postgres", open: startPostgres, store: "connect-pg-simple", least: { read: 2, change: 3 } },
];

/** Catnap over a database server beside express-session with the published store for it; the CPU of the server and of the database together. */
export async function besideServers(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const { kind, open, store, least } of rivals) {
    const database = await open();
    if (!database) {
      console.warn(`${kind} is not on this machine: its figures are left out`);
      continue;
    }
    const rival = `express 5 + express-session + ${store}`;
    const ours = await start(`fetch/${kind}`, () => ({ path: "/trpc/fill", body: null }), database);
    const theirs = await start(`express/${kind}`, () => ({ path: "/fill", body: {} }), database);
    for (const [what, key] of [
      ["read of one value", "read"],
      ["change of one key", "change"],
    ] as const) {
      const { ratio, ...cpu } = await race([ours, shots.ours[key]], [theirs, shots.express[key]]);
      figures.push({
        what: `${what} in a 10 KB session, ${kind}, its CPU included`,
        ours: perSecond(cpu.ours),
        rival: `${rival}: ${perSecond(cpu.rival)}`,
        ratio,
        target: { least: least[key] },
      });
    }
    figures.push(await lost(kind, ours, rival, theirs));
    if (kind === "redis") {
      figures.push(...(await besideHandmade(ours, database)));
      figures.push(await bytesSent(database, ours, rival, theirs), await bytesAtRest(database, ours, rival, theirs));
    }
    for (const contestant of [ours, theirs]) contestant.stop();
    await database.stop();
  }
  return figures;
}

async function lost(kind: string, ours: Contestant, rival: string, theirs: Contestant): Promise<Figure> {
  const here = await lostUpdates(ours, "/trpc/slowSet", "/trpc/all", (body) => JSON.parse(body).result.data);
  const there = await lostUpdates(theirs, "/slow-set", "/all", (body) => JSON.parse(body));
  return {
    what: `updates lost by 50 concurrent handlers that take 10 ms, ${kind}`,
    ours: `${here} lost`,
    rival: `${rival}: ${there} lost`,
    ratio: here,
    target: { most: 0 },
  };
}

/** Beside a bare tRPC procedure that keeps a hash in Redis by hand. */
async function besideHandmade(ours: Contestant, database: Database): Promise<Figure[]> {
  const handmade = await start("fetch/handmade", () => ({ path: "/trpc/fill", body: null }), database);
  const figures: Figure[] = [];
  for (const [what, key] of [
    ["read of one value, HGET", "read"],
    ["change of one key, HGET and HSET", "change"],
  ] as const) {
    const { ratio, ...cpu } = await race([ours, shots.ours[key]], [handmade, shots.ours[key]]);
    figures.push({
      what: `${what} in a 10 KB session, redis, its CPU included`,
      ours: perSecond(cpu.ours),
      rival: `bare tRPC that does it by hand: ${perSecond(cpu.rival)}`,
      ratio,
      target: { least: 0.75 },
    });
  }
  handmade.stop();
  return figures;
}
