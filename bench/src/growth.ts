import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { postgresStore } from "catnap/postgres";
import { redisStore } from "catnap/redis";
import type { SessionStore } from "catnap/server";
import { sqliteStore } from "catnap/sqlite";
import { inRedis } from "./at-rest.ts";
import { type Contestant, race, start } from "./contestant.ts";
import { type Database, poolAt, redisAt, startPostgres, startRedis } from "./databases.ts";
import { type Figure, median, perSecond } from "./figure.ts";
import { identifiers, replay } from "./fill.ts";
import { oneCounter, tenValues } from "./rehearsal.ts";
import { sized } from "./sizes.ts";

const day = 86_400_000;
const few = 1_000;
const many = sized("SESSIONS", 1_000_000);
/** So many of the sessions are asked for over HTTP, spread over all. */
const asked = 20_000;

/** A store with so many sessions in it, what lets go of it, and cookies of sessions that are spread over all of them. */
interface Filled {
  readonly store: SessionStore;
  readonly count: number;
  readonly cookies: readonly string[];
  close(): Promise<void>;
}

/** Puts so many sessions of ten values of 100 bytes into a store; each subject has two. Answers cookies. */
async function fill(store: SessionStore, count: number): Promise<string[]> {
  const ten = await tenValues();
  const keys = identifiers(ten, count);
  const more = (n: number) => ({ subject: `user-${Math.floor(n / 2)}`, timeoutMs: day });
  await replay(store, ten.begun, keys, { more });
  const apart = Math.ceil(count / asked);
  return keys.filter((_, n) => n % apart === 0).map(ten.begun.cookie);
}

async function redisWith({ port }: Database, count: number): Promise<Filled> {
  const client = await redisAt(port);
  const store = redisStore(client);
  return { store, count, cookies: await fill(store, count), close: async () => client.destroy() };
}

async function postgresWith({ port }: Database, count: number): Promise<Filled> {
  const pool = poolAt(port);
  const store = postgresStore(pool);
  await store.migrate();
  const cookies = await fill(store, count);
  await pool.query("ANALYZE");
  return { store, count, cookies, close: () => pool.end() };
}

const pageSize = 100;
const samples = 100;
/** What is looked for in a store, the n-th time: all over it. */
const lookups: Readonly<Record<string, (filled: Filled, n: number) => Promise<unknown>>> = {
  "sessions of one subject": ({ store, count }, n) =>
    store.find({ subject: `user-${Math.floor((n * count) / 2 / samples)}`, limit: pageSize }),
  [`page of ${pageSize} sessions`]: ({ store }) =>
    store.find({ cursor: randomBytes(16).toString("base64url"), limit: pageSize }),
};

/** Milliseconds that a call takes, in the middle of many. */
async function millisecondsOf(look: (n: number) => Promise<unknown>): Promise<number> {
  const taken: number[] = [];
  for (let n = 0; n < samples; n++) {
    const start = performance.now();
    await look(n);
    taken.push(performance.now() - start);
  }
  return median(taken);
}

const shots = {
  "read of one value": { path: "/trpc/get" },
  "change of one key": { path: "/trpc/set", body: (n: number) => ({ key: "k5", value: `value ${n}` }) },
};

/**
 * What a request costs with many sessions in the store, against few: two databases in one run. Once of sixteen sessions,
 * which are in the server's memory after the first request, and once of sessions all over the store, which are not.
 */
export async function besideFew(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const [kind, open, filling] of [
    ["redis", startRedis, redisWith],
    ["postgres", startPostgres, postgresWith],
  ] as const) {
    const [large, small] = [await open(), await open()];
    if (!large || !small) continue;
    const [all, some] = [await filling(large, many), await filling(small, few)];
    for (const [what, look] of Object.entries(lookups)) {
      const [ours, rival] = [await millisecondsOf((n) => look(all, n)), await millisecondsOf((n) => look(some, n))];
      figures.push({
        what: `find: ${what}, ${kind}, with ${many.toLocaleString("en")} sessions in the store`,
        ours: `${ours.toFixed(2)} ms`,
        rival: `with ${few.toLocaleString("en")}: ${rival.toFixed(2)} ms`,
        ratio: ours / rival,
        target: { most: 4 },
      });
    }
    await Promise.all([all.close(), some.close()]);
    const seed = () => ({ path: "/trpc/fill", body: null });
    for (const [which, server, spread] of [
      ["of 16 sessions, in memory", `fetch/${kind}`, false],
      ["of sessions all over the store, not in memory", `fetch/${kind}/forgetting`, true],
    ] as const) {
      const [ours, other] = [await start(server, seed, large), await start(server, seed, small)];
      const contestants = spread
        ? ([
            { ...ours, cookies: all.cookies },
            { ...other, cookies: some.cookies },
          ] as const)
        : ([ours, other] as const);
      for (const [what, shot] of Object.entries(shots)) {
        const cpu = await race([contestants[0], shot], [contestants[1], shot], sized("ROUNDS", 30));
        figures.push({
          what: `${what} ${which}, ${kind}, its CPU included, with ${many.toLocaleString("en")} sessions in the store`,
          ours: perSecond(cpu.ours),
          rival: `with ${few.toLocaleString("en")}: ${perSecond(cpu.rival)}`,
          ratio: cpu.ours / cpu.rival,
          target: { most: 1.2 },
        });
      }
      for (const contestant of [ours, other]) contestant.stop();
    }
    for (const database of [large, small]) await database.stop();
  }
  return [...figures, ...(await besideFewInFile()), ...(await atRestOfMany())];
}

/** The same of two files of SQLite, one of them with a hundred thousand sessions: all over them, not in memory. */
async function besideFewInFile(): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), "catnap-bench-"));
  const sizes = [Math.min(many, 100_000), few] as const;
  const seed = () => ({ path: "/trpc/fill", body: null });
  const opened: Contestant[] = [];
  for (const count of sizes) {
    const path = join(folder, `${count}.db`);
    const store = sqliteStore(path);
    const cookies = await fill(store, count);
    await store.close();
    opened.push({ ...(await start("fetch/sqlite/forgetting", seed, { path })), cookies });
  }
  const [all, some] = opened as [Contestant, Contestant];
  const figures: Figure[] = [];
  for (const [what, shot] of Object.entries(shots)) {
    const cpu = await race([all, shot], [some, shot], sized("ROUNDS", 30));
    figures.push({
      what: `${what} of sessions all over the file, not in memory, SQLite, with ${sizes[0].toLocaleString("en")} sessions in it`,
      ours: perSecond(cpu.ours),
      rival: `with ${few.toLocaleString("en")}: ${perSecond(cpu.rival)}`,
      ratio: cpu.ours / cpu.rival,
      target: { most: 1.2 },
    });
  }
  for (const { stop } of opened) stop();
  rmSync(folder, { recursive: true });
  return figures;
}

/** What one of many sessions of a single counter takes in Redis as it comes, against one of 20,000. */
async function atRestOfMany(): Promise<Figure[]> {
  const redis = await startRedis();
  if (!redis) return [];
  const client = await redisAt(redis.port);
  const one = await oneCounter();
  const [ours, rival] = [await inRedis(client, one, many), await inRedis(client, one, 20_000)];
  client.destroy();
  await redis.stop();
  return (["fresh", "rotated"] as const).map((state) => ({
    what: `bytes at rest of a session of one counter, ${state}, redis, of ${many.toLocaleString("en")}`,
    ours: `${Math.round(ours[state])} bytes`,
    rival: `of 20,000: ${Math.round(rival[state])} bytes`,
    ratio: ours[state] / rival[state],
    target: { most: 1.5 },
  }));
}
