import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import type { SessionStore } from "../../src/index.ts";
import { memoryStore } from "../../src/stores/memory/memory-store.ts";
import { postgresStore } from "../../src/stores/postgres/postgres-store.ts";
import { redisStore } from "../../src/stores/redis/redis-store.ts";
import { sqliteStore } from "../../src/stores/sqlite/sqlite-store.ts";
import { startPostgres } from "./postgres.ts";
import { startRedis, startRedisCluster } from "./redis.ts";

/** Makes empty stores; each handle after the first is another process's on the same data, where there can be one. */
export type MakeStore = (handles?: number) => Promise<[SessionStore, ...SessionStore[]]>;

/** The stores that come with Catnap, by name; absent: its server is not on this machine. Everything ends with the file's tests. */
export async function everyStore(): Promise<Record<string, MakeStore | undefined>> {
  const [postgres, redis, valkey, cluster] = await Promise.all([
    startPostgres(),
    startRedis(),
    startRedis("valkey-server"),
    startRedisCluster(),
  ]);
  const folder = mkdtempSync(join(tmpdir(), "catnap-stores-"));
  const made: SessionStore[] = [];
  afterAll(async () => {
    for (const store of made) await store.close();
    rmSync(folder, { recursive: true, force: true });
    await Promise.all([postgres?.stop(), redis?.stop(), valkey?.stop(), cluster?.stop()]);
  });
  const pool = postgres?.pool();
  const clients = [redis?.ioredis(), redis?.nodeRedis(), valkey?.ioredis(), cluster?.nodeRedis()] as const;
  const [ioredis, nodeRedis, valkeyClient, clusterClient] = await Promise.all(clients);
  let count = 0;
  const several =
    (make: (name: string) => SessionStore | Promise<SessionStore>): MakeStore =>
    async (handles = 1) => {
      const name = String(++count);
      const stores = [await make(name)] as [SessionStore, ...SessionStore[]];
      while (stores.length < handles) stores.push(await make(name));
      made.push(...stores);
      return stores;
    };
  const ofRedis = (client: Parameters<typeof redisStore>[0]) =>
    several((name) => redisStore(client, { prefix: `every${name}:` }));
  return {
    memory: async () => [memoryStore()],
    sqlite: several((name) => sqliteStore(join(folder, `${name}.db`))),
    postgres:
      pool &&
      several(async (name) => {
        const store = postgresStore(pool, { schema: `every_${name}` });
        await store.migrate();
        return store;
      }),
    "redis by ioredis": ioredis && ofRedis(ioredis),
    "redis by node-redis": nodeRedis && ofRedis(nodeRedis),
    valkey: valkeyClient && ofRedis(valkeyClient),
    "a Redis cluster": clusterClient && ofRedis(clusterClient),
  };
}
