export type { SessionStore } from "@catnap/server";
export {
  type IoredisClient,
  type NodeRedisClient,
  type RedisClient,
  type RedisStoreOptions,
  redisStore,
} from "@catnap/server/redis";
