import { type Contestant, race, start } from "./contestant.ts";
import { type Database, startPostgres, startRedis } from "./databases.ts";
import { type Figure, perSecond } from "./figure.ts";
import { besideFirst } from "./first-visits.ts";
import { besideCounters, besideLost, besideLostElsewhere } from "./lost-updates.ts";
import { bytesAtRest, bytesSent } from "./redis-bytes.ts";
import { roundTrips } from "./round-trips.ts";

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
    const begin = (server: string) => start(server, () => ({ path: "/trpc/fill", body: null }), database);
    const theirs = await start(`express/${kind}`, () => ({ path: "/fill", body: {} }), database);
    const ours = await begin(`fetch/${kind}`);
    const forgetting = await begin(`fetch/${kind}/forgetting`);
    const beside = async (what: string, who: Contestant, key: "read" | "change") => {
      const { ratio, ...cpu } = await race([who, shots.ours[key]], [theirs, shots.express[key]]);
      figures.push({
        what: `${what}, ${kind}, its CPU included`,
        ours: perSecond(cpu.ours),
        rival: `${rival}: ${perSecond(cpu.rival)}`,
        ratio,
        target: { least: least[key] },
      });
    };
    await beside("read of one value in a 10 KB session, in memory", ours, "read");
    await beside("read of one value in a 10 KB session, not in memory", forgetting, "read");
    await beside("change of one key in a 10 KB session", ours, "change");
    if (kind === "postgres") {
      const quiet = await begin("fetch/postgres/quiet");
      await beside("change of one key in a 10 KB session, notify: false", quiet, "change");
      quiet.stop();
    }
    figures.push(await besideLost(kind, ours, rival, theirs), await besideCounters(kind, ours, rival, theirs));
    figures.push(...(await roundTrips(kind, database, rival)));
    if (kind === "redis") {
      figures.push(...(await besideHandmade(ours, forgetting, database)));
      figures.push(await bytesSent(database, ours, rival, theirs), await bytesAtRest(database, ours, rival, theirs));
    }
    figures.push(await besideFirst(kind, ours, rival, theirs));
    for (const contestant of [ours, forgetting, theirs]) contestant.stop();
    await database.stop();
  }
  return [...figures, ...(await besideLostElsewhere())];
}

/** Beside a bare tRPC procedure that keeps a hash in Redis by hand. */
async function besideHandmade(ours: Contestant, forgetting: Contestant, database: Database): Promise<Figure[]> {
  const handmade = await start("fetch/handmade", () => ({ path: "/trpc/fill", body: null }), database);
  const figures: Figure[] = [];
  for (const [what, who, key] of [
    ["read of one value in a 10 KB session, in memory, HGET", ours, "read"],
    ["read of one value in a 10 KB session, not in memory, HGET", forgetting, "read"],
    ["change of one key in a 10 KB session, HGET and HSET", ours, "change"],
  ] as const) {
    const { ratio, ...cpu } = await race([who, shots.ours[key]], [handmade, shots.ours[key]]);
    figures.push({
      what: `${what}, redis, its CPU included`,
      ours: perSecond(cpu.ours),
      rival: `bare tRPC that does it by hand: ${perSecond(cpu.rival)}`,
      ratio,
      target: { least: 0.75 },
    });
  }
  handmade.stop();
  return figures;
}
