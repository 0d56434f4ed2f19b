import { randomBytes } from "node:crypto";
import { postgresStore } from "catnap/postgres";
import { redisStore } from "catnap/redis";
import type { SessionStore } from "catnap/server";
import pg from "pg";
import { createClient } from "redis";
import { race, start } from "./contestant.ts";
import { type Database, startPostgres, startRedis } from "./databases.ts";
import type { Figure } from "./figure.ts";
import { perSecond } from "./http.ts";

const day = 86_400_000;
const few = 1_000;
const many = 100_000;

/** Puts so many sessions of ten values of 100 bytes into a store. */
async function fill(store: SessionStore, count: number): Promise<void> {
  const now = Date.now();
  const put = { value: "x".repeat(100), writer: "server", seq: 0 };
  const changes = new Map(Array.from({ length: 10 }, (_, n) => [`k${n}`, put]));
  const create = { createdAt: now, endsAt: now + day };
  const commit = { now, accessedAt: now, timeoutMs: day, create, transactions: 1, expect: new Map(), changes };
  for (let done = 0; done < count; done += 100) {
    const some = Array.from({ length: 100 }, () => store.write(randomBytes(16).toString("base64url"), commit));
    for (const { ok } of await Promise.all(some)) if (!ok) throw new Error("the store refuses a new session");
  }
}

async function fillRedis({ port }: Database, count: number): Promise<void> {
  const client = createClient({ socket: { host: "127.0.0.1", port } });
  await client.connect();
  await fill(redisStore(client), count);
  client.destroy();
}

async function fillPostgres({ port }: Database, count: number): Promise<void> {
  const pool = new pg.Pool({ host: "127.0.0.1", port, user: "bench", database: "postgres" });
  const store = postgresStore(pool, { notify: false });
  await store.migrate();
  await fill(store, count);
  await pool.query("ANALYZE");
  await pool.end();
}

/** What a request costs with many sessions in the store, against few: two databases in one run. */
export async function besideFew(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const [kind, open, filling] of [
    ["redis", startRedis, fillRedis],
    ["postgres", startPostgres, fillPostgres],
  ] as const) {
    const [large, small] = [await open(), await open()];
    if (!large || !small) continue;
    await filling(large, many);
    await filling(small, few);
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
