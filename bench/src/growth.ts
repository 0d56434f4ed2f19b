import { randomBytes } from "node:crypto";
import { postgresStore } from "catnap/postgres";
import { redisStore } from "catnap/redis";
import type { SessionStore } from "catnap/server";
import pg from "pg";
import { createClient } from "redis";
import { race, start } from "./contestant.ts";
import { type Database, startPostgres, startRedis } from "./databases.ts";
import { type Figure, median } from "./figure.ts";
import { perSecond } from "./http.ts";

const day = 86_400_000;
const few = 1_000;
const many = 1_000_000;

/** Puts so many sessions of ten values of 100 bytes into a store; each subject has two. */
async function fill(store: SessionStore, count: number): Promise<void> {
  const now = Date.now();
  const put = { value: "x".repeat(100), writer: "server", seq: 0 };
  const changes = new Map(Array.from({ length: 10 }, (_, n) => [`k${n}`, put]));
  const create = { createdAt: now, endsAt: now + day };
  const commit = { now, accessedAt: now, timeoutMs: day, create, transactions: 1, expect: new Map(), changes };
  for (let done = 0; done < count; done += 100) {
    const some = Array.from({ length: 100 }, (_, n) =>
      store.write(randomBytes(16).toString("base64url"), { ...commit, subject: `user-${Math.floor((done + n) / 2)}` }),
    );
    for (const { ok } of await Promise.all(some)) if (!ok) throw new Error("the store refuses a new session");
  }
}

/** A store with so many sessions in it, and what lets go of it. */
type Filled = readonly [store: SessionStore, close: () => Promise<void>];

async function redisWith({ port }: Database, count: number): Promise<Filled> {
  const client = createClient({ socket: { host: "127.0.0.1", port } });
  await client.connect();
  const store = redisStore(client);
  await fill(store, count);
  return [store, async () => client.destroy()];
}

async function postgresWith({ port }: Database, count: number): Promise<Filled> {
  const pool = new pg.Pool({ host: "127.0.0.1", port, user: "bench", database: "postgres" });
  const store = postgresStore(pool, { notify: false });
  await store.migrate();
  await fill(store, count);
  await pool.query("ANALYZE");
  return [store, () => pool.end()];
}

const pageSize = 100;
/** What is looked for in a store, the n-th time. */
const lookups: Readonly<Record<string, (store: SessionStore, n: number) => Promise<unknown>>> = {
  "sessions of one subject": (store, n) => store.find({ subject: `user-${(n * 7) % (few / 2)}`, limit: pageSize }),
  [`page of ${pageSize} sessions`]: (store) =>
    store.find({ cursor: randomBytes(16).toString("base64url"), limit: pageSize }),
};

/** Milliseconds that a call takes, in the middle of many. */
async function millisecondsOf(look: (n: number) => Promise<unknown>): Promise<number> {
  const samples: number[] = [];
  for (let n = 0; n < 100; n++) {
    const start = performance.now();
    await look(n);
    samples.push(performance.now() - start);
  }
  return median(samples);
}

/** What a request costs with many sessions in the store, against few: two databases in one run. */
export async function besideFew(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const [kind, open, filling] of [
    ["redis", startRedis, redisWith],
    ["postgres", startPostgres, postgresWith],
  ] as const) {
    const [large, small] = [await open(), await open()];
    if (!large || !small) continue;
    const [[all, closeAll], [some, closeSome]] = [await filling(large, many), await filling(small, few)];
    for (const [what, look] of Object.entries(lookups)) {
      const ms = { ours: await millisecondsOf((n) => look(all, n)), rival: await millisecondsOf((n) => look(some, n)) };
      figures.push({
        what: `find: ${what}, ${kind}, with ${many.toLocaleString("en")} sessions in the store`,
        ours: `${ms.ours.toFixed(2)} ms`,
        rival: `with ${few.toLocaleString("en")}: ${ms.rival.toFixed(2)} ms`,
        ratio: ms.ours / ms.rival,
        target: { most: 4 },
      });
    }
    await Promise.all([closeAll(), closeSome()]);
    const seed = () => ({ path: "/trpc/fill", body: null });
    const [ours, other] = [await start(`fetch/${kind}`, seed, large), await start(`fetch/${kind}`, seed, small)];
    for (const [what, shot] of [
      ["read of one value", { path: "/trpc/get" }],
      ["change of one key", { path: "/trpc/set", body: (n: number) => ({ key: "k50", value: `value ${n}` }) }],
    ] as const) {
      const cpu = await race([ours, shot], [other, shot], 30);
      figures.push({
        what: `${what}, ${kind}, its CPU included, with ${many.toLocaleString("en")} sessions in the store`,
        ours: perSecond(cpu.ours),
        rival: `with ${few.toLocaleString("en")}: ${perSecond(cpu.rival)}`,
        ratio: cpu.ours / cpu.rival,
        target: { most: 1.2 },
      });
    }
    for (const contestant of [ours, other]) contestant.stop();
    for (const database of [large, small]) await database.stop();
  }
  return figures;
}
