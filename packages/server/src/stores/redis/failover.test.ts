import { afterAll, expect, test } from "vitest";
import { startRedisCluster } from "../../../test/servers/redis.ts";
import type { Commit } from "../store.ts";
import { type RedisClient, redisStore } from "./redis-store.ts";

const cluster = await startRedisCluster();
const [master] = cluster?.nodes ?? [];
const replica = cluster && master && (await cluster.addReplica(master));
afterAll(() => cluster?.stop());

const commit: Commit = { now: 0, accessedAt: 0, transactions: 1, expect: new Map(), changes: new Map() };
const birth: Commit = { ...commit, create: { createdAt: 0, endsAt: 1e6 }, timeoutMs: 1e6 };
/** Sessions of the first master. */
const keys = ["-a", "0a", "5b", "9c"];

test.skipIf(!cluster)("live news go on when a cluster's master has died and its replica is in its place", async () => {
  if (!cluster || !master || !replica) return;
  const watching = (client: RedisClient) => {
    const store = redisStore(client, { prefix: "failover:", timeout: 2 });
    const heard = new Map<string, number>();
    for (const key of keys) store.watch?.(key, (rev) => heard.set(key, rev));
    return { store, heard };
  };
  const all = [watching(cluster.ioredis()), watching(await cluster.nodeRedis())];
  const [writer] = all;
  const write = async (key: string, change: Commit): Promise<[string, number]> => {
    const outcome = await writer?.store.write(key, change).catch(() => undefined);
    return outcome?.ok ? [key, outcome.rev] : [key, 0];
  };
  for (const key of keys) expect(await write(key, birth)).toEqual([key, 1]);
  for (const { heard } of all) await expect.poll(() => heard.size).toBe(keys.length);
  // Each knows the replica, and believes it; and the replica each, or it would be alone once its master has died.
  for (const node of [...cluster.nodes, replica]) {
    const info = () => node.ioredis().call("cluster", "info");
    await expect.poll(info, { timeout: 20_000 }).toContain("cluster_known_nodes:4");
  }
  // What the master has not passed on yet would be lost with it.
  const size = await master.ioredis().call("dbsize");
  await expect.poll(() => replica.ioredis().call("dbsize"), { timeout: 20_000 }).toBe(size);
  await master.halt("SIGKILL");
  // Without the others' votes, which on a busy machine may take their time.
  await replica.ioredis().call("cluster", "failover", "takeover");
  await expect.poll(() => write("-a", commit), { timeout: 30_000 }).not.toEqual(["-a", 0]);
  for (let round = 0; round < 2; round++) {
    const told = new Map(await Promise.all(keys.map((key) => write(key, commit))));
    // The library itself takes five seconds to look for another master.
    for (const { heard } of all) await expect.poll(() => heard, { timeout: 10_000 }).toEqual(told);
  }
  for (const { store } of all) await store.close();
});
