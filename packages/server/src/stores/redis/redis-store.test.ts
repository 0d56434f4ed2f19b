import { storeLaws } from "@catnap/testing";
import { afterAll, describe, test } from "vitest";
import { startRedis, startRedisCluster } from "../../../test/servers/redis.ts";
import { type RedisClient, redisStore } from "./redis-store.ts";

const redis = await startRedis("redis-server");
const valkey = await startRedis("valkey-server");
const cluster = await startRedisCluster();
afterAll(() => Promise.all([redis?.stop(), valkey?.stop(), cluster?.stop()]));

const clients: Record<string, (() => RedisClient | Promise<RedisClient>) | undefined> = {
  "Redis, by ioredis": redis && (() => redis.ioredis()),
  "Redis, by node-redis": redis && (() => redis.nodeRedis()),
  "Redis, by node-redis in RESP2": redis && (() => redis.nodeRedis(2)),
  "Valkey, by ioredis": valkey && (() => valkey.ioredis()),
  "a cluster, by ioredis": cluster && (() => cluster.ioredis()),
  "a cluster, by node-redis": cluster && (() => cluster.nodeRedis()),
};

let laws = 0;

for (const [name, connect] of Object.entries(clients)) {
  describe.skipIf(!connect)(`redisStore on ${name} keeps the law:`, async () => {
    const one = await connect?.();
    const two = await connect?.();
    for (const law of storeLaws) {
      test(law.name, async ({ skip }) => {
        const outcome = await law.check(async () => {
          if (!one || !two) throw new Error("skipped");
          const prefix = `law${++laws}:`;
          const store = redisStore(one, { prefix });
          return { store, reopen: async () => redisStore(two, { prefix }), cleanup: () => store.close() };
        });
        if (outcome.kind === "skipped") skip(outcome.reason);
      });
    }
  });
}
