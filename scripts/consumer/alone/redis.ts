import { type RedisClient, redisStore } from "catnap/redis";

export const create = (client: RedisClient) => redisStore(client);
