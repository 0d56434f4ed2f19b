import { afterAll, expect, test } from "vitest";
import { startRedis, startRedisCluster } from "../../../test/servers/redis.ts";
import type { Commit } from "../store.ts";
import { driverOf } from "./clients.ts";
import { RedisKeys } from "./keys.ts";
import { RedisNotices } from "./notices.ts";
import { type RedisClient, redisStore } from "./redis-store.ts";
import { RedisWatch } from "./watch.ts";

const server = await startRedis();
const cluster = await startRedisCluster();
afterAll(() => Promise.all([server?.stop(), cluster?.stop()]));

const commit: Commit = { now: 0, accessedAt: 0, transactions: 1, expect: new Map(), changes: new Map() };
const birth: Commit = { ...commit, create: { createdAt: 0, endsAt: 1e6 }, timeoutMs: 1e6 };

test.skipIf(!server)("what was told to nobody is found in time, however many more are watched meanwhile", async () => {
  if (!server) return;
  let asked = 0;
  const watch = new RedisWatch(
    {
      driver: driverOf(server.ioredis(), 1000),
      notices: new RedisNotices(),
      channel: (key) => `watch:${key}`,
      revision: async (key) => (key === "first" ? ++asked : 1),
    },
    200,
  );
  const heard: number[] = [];
  watch.add("first", (rev) => heard.push(rev));
  await expect.poll(() => heard.length).toBeGreaterThan(0);
  const before = asked;
  let others = 0;
  // Each sooner than the heartbeat after the one before it.
  const adding = setInterval(() => watch.add(`other${others++}`, () => undefined), 20);
  try {
    await expect.poll(() => asked, { timeout: 2000 }).toBeGreaterThan(before + 2);
    expect(heard.at(-1)).toBe(asked);
  } finally {
    clearInterval(adding);
    await watch.stop();
  }
});

test.skipIf(!server)("what somebody else says on a session's channel is no news of it", async () => {
  if (!server) return;
  const control = server.ioredis();
  const store = redisStore(server.ioredis(), { prefix: "words:" });
  await store.write("a", birth);
  const heard: number[] = [];
  store.watch?.("a", (rev) => heard.push(rev));
  await expect.poll(() => heard).toEqual([1]);
  const channel = new RedisKeys("words:").session("a");
  for (const words of ["", "hello", "-1", "1e999", "NaN"]) await control.publish(channel, words);
  await store.write("a", commit);
  await expect.poll(() => heard.at(-1)).toBe(2);
  expect(heard).toEqual([1, 2]);
  await store.close();
});

const ways: Record<string, [(() => RedisClient | Promise<RedisClient>) | undefined, string]> = {
  ioredis: [server && (() => server.ioredis()), "channels"],
  "node-redis": [server && (() => server.nodeRedis()), "channels"],
  "ioredis, a cluster": [cluster && (() => cluster.ioredis()), "shardchannels"],
  "node-redis, a cluster": [cluster && (() => cluster.nodeRedis()), "shardchannels"],
};

for (const [name, [connect, kind]] of Object.entries(ways)) {
  test.skipIf(!connect)(`by ${name}, a store that closes leaves no subscription, not even one under way`, async () => {
    if (!connect || !server || !cluster) return;
    const nodes = kind === "channels" ? [server] : cluster.nodes;
    const controls = nodes.map((node) => node.ioredis());
    const channels = async () => {
      const all = await Promise.all(controls.map((control) => control.call("pubsub", kind)));
      return all.flat().filter((channel) => String(channel).startsWith(`close-${name}:`));
    };
    const store = redisStore(await connect(), { prefix: `close-${name}:` });
    const heard: number[] = [];
    const keys = ["0a", "Gb", "Wc", "md", "ze"];
    // Nothing lives under these: each may hear so at any time.
    for (const key of keys) store.watch?.(key, () => undefined);
    await expect.poll(async () => (await channels()).length).toBe(5);
    // Watched, left and watched again before anything was answered.
    const stop = store.watch?.("0f", () => undefined);
    stop?.();
    store.watch?.("0f", (rev) => heard.push(rev));
    await expect.poll(async () => (await channels()).length).toBe(6);
    await store.write("0f", birth);
    await expect.poll(() => heard.at(-1)).toBe(1);
    store.watch?.("Gg", () => undefined);
    await store.close();
    await expect.poll(channels).toEqual([]);
  });
}
