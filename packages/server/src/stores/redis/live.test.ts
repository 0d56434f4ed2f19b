import { Redis, type RedisOptions } from "ioredis";
import { createClient } from "redis";
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { startProxy } from "../../../test/servers/proxy.ts";
import { startRedis, startRedisCluster } from "../../../test/servers/redis.ts";
import type { Commit } from "../store.ts";
import { driverOf } from "./clients.ts";
import { RedisNotices } from "./notices.ts";
import { type RedisClient, redisStore } from "./redis-store.ts";
import { RedisWatch } from "./watch.ts";

const server = await startRedis();
const cluster = await startRedisCluster();
afterAll(() => Promise.all([server?.stop(), cluster?.stop()]));

const commit: Commit = { now: 0, accessedAt: 0, transactions: 1, expect: new Map(), changes: new Map() };
const birth: Commit = { ...commit, create: { createdAt: 0, endsAt: 1e6 }, timeoutMs: 1e6 };

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  vi.restoreAllMocks();
});

const ioredis =
  (options: Pick<RedisOptions, "enableOfflineQueue" | "autoResubscribe" | "retryStrategy" | "lazyConnect"> = {}) =>
  async (port: number) => {
    const client = new Redis({ host: "127.0.0.1", port, retryStrategy: () => 50, ...options });
    client.on("error", () => undefined);
    cleanups.push(() => client.disconnect());
    return client;
  };
const nodeRedis =
  (options: { disableOfflineQueue?: boolean } = {}, reconnectStrategy: false | number = 50) =>
  async (port: number): Promise<RedisClient> => {
    const client = createClient({ ...options, socket: { host: "127.0.0.1", port, reconnectStrategy } });
    client.on("error", () => undefined);
    cleanups.push(() => client.isOpen && client.destroy());
    await client.connect();
    return client;
  };
const clients: Record<string, (port: number) => Promise<RedisClient>> = {
  ioredis: ioredis(),
  "ioredis that queues nothing without a connection": ioredis({ enableOfflineQueue: false }),
  "ioredis that does not subscribe again": ioredis({ autoResubscribe: false }),
  "ioredis that gives up": ioredis({ retryStrategy: () => null }),
  "lazy ioredis": ioredis({ lazyConnect: true }),
  "node-redis": nodeRedis(),
  "node-redis in no queue": nodeRedis({ disableOfflineQueue: true }),
  "node-redis that gives up": nodeRedis({}, false),
};

/** Soon: long before the heartbeat of thirty seconds. */
const soon = { timeout: 3000, interval: 20 };

describe.skipIf(!server).each(Object.entries(clients))("by %s, live news", (name, connect) => {
  if (!server) return;
  const control = server.ioredis();
  const prefix = `live-${name}:`;
  const there = redisStore(control, { prefix });
  beforeEach(async () => {
    await there.delete("a");
    await there.write("a", birth);
  });
  const rev = async () => {
    await there.write("a", commit);
    return (await there.read("a"))?.rev;
  };

  test("come as soon as there is a connection", async () => {
    const heard: number[] = [];
    const store = redisStore(await connect(server.port), { prefix });
    cleanups.push(() => store.close());
    store.watch?.("a", (rev) => heard.push(rev));
    await expect.poll(() => heard.at(-1), soon).toBe(1);
    expect(await rev()).toBe(2);
    await expect.poll(() => heard.at(-1), soon).toBe(2);
  });

  test("come again after the subscription's connection was lost, those of the meantime too", async () => {
    const heard: number[] = [];
    const store = redisStore(await connect(server.port), { prefix });
    cleanups.push(() => store.close());
    store.watch?.("a", (rev) => heard.push(rev));
    await expect.poll(() => heard.at(-1), soon).toBe(1);
    for (let round = 0; round < 3; round++) {
      await expect.poll(() => control.call("client", "kill", "type", "pubsub"), soon).toBeGreaterThan(0);
      const meantime = await rev();
      await expect.poll(() => heard.at(-1), soon).toBe(meantime);
      const after = await rev();
      await expect.poll(() => heard.at(-1), soon).toBe(after);
    }
  });
});

/** Live news of each master of a cluster, whose connections for them are lost one by one. */
describe.skipIf(!cluster).each(["ioredis", "nodeRedis"] as const)("in a cluster, by %s, live news", (library) => {
  if (!cluster) return;
  test("come again after the subscriptions' connections were lost", async () => {
    const store = redisStore(await cluster[library](), { prefix: `live-${library}:` });
    const there = redisStore(cluster.ioredis(), { prefix: `live-${library}:` });
    cleanups.push(() => store.close());
    const keys = ["0a", "Gb", "Wc", "md", "ze"];
    const heard = new Map<string, number>();
    for (const key of keys) {
      await there.write(key, birth);
      store.watch?.(key, (rev) => heard.set(key, rev));
    }
    const all = (rev: number) => new Map(keys.map((key) => [key, rev]));
    await expect.poll(() => heard, soon).toEqual(all(1));
    for (const [round, node] of cluster.nodes.entries()) {
      await expect.poll(() => node.ioredis().call("client", "kill", "type", "pubsub"), soon).toBeGreaterThan(0);
      for (const rev of [2 * round + 2, 2 * round + 3]) {
        for (const key of keys) await there.write(key, commit);
        await expect.poll(() => heard, { timeout: 8000 }).toEqual(all(rev));
      }
    }
  });
});

describe.skipIf(!server)("a subscription", () => {
  if (!server) return;

  test("begun while the server cannot be reached holds once it can", async () => {
    for (const connect of [
      ioredis(),
      ioredis({ enableOfflineQueue: false }),
      nodeRedis(),
      nodeRedis({ disableOfflineQueue: true }),
    ]) {
      const proxy = await startProxy(server.port);
      cleanups.push(() => proxy.stop());
      const prefix = `late${Math.random()}:`;
      const there = redisStore(server.ioredis(), { prefix });
      await there.write("a", birth);
      const store = redisStore(await connect(proxy.port), { prefix, timeout: 1 });
      cleanups.push(() => store.close());
      await store.read("a");
      proxy.cut(true);
      await expect
        .poll(() =>
          store.read("a").then(
            () => "up",
            () => "down",
          ),
        )
        .toBe("down");
      const heard: number[] = [];
      store.watch?.("a", (rev) => heard.push(rev));
      proxy.mend();
      await expect.poll(() => heard.at(-1), soon).toBe(1);
      await there.write("a", commit);
      await expect.poll(() => heard.at(-1), soon).toBe(2);
    }
  });

  test("that the user may not have is told of once, tried again with the heartbeat, and holds when it is allowed", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const control = server.ioredis();
    await control.acl("SETUSER", "deaf", "on", "nopass", "~*", "&*", "+@all", "-subscribe");
    const client = new Redis(server.port, "127.0.0.1", { username: "deaf", password: "any" });
    cleanups.push(() => client.disconnect());
    const watch = new RedisWatch(
      {
        driver: driverOf(client, 1000),
        notices: new RedisNotices(),
        channel: (key) => `deaf:${key}`,
        revision: async () => 1,
      },
      300,
    );
    cleanups.push(() => watch.stop());
    const heard = new Map<string, number>();
    // What the subscription brings may overtake the look that follows upon it.
    for (const key of ["a", "b"]) watch.add(key, (rev) => heard.set(key, Math.max(rev, heard.get(key) ?? 0)));
    await expect
      .poll(() => [...heard], soon)
      .toEqual([
        ["a", 1],
        ["b", 1],
      ]);
    expect(warn.mock.calls).toEqual([
      [
        expect.stringMatching(
          /^catnap: live updates come late, every 0.3 s: .*refuses this user: allow it the commands/,
        ),
      ],
    ]);
    await control.acl("SETUSER", "deaf", "+subscribe");
    await expect
      .poll(() => control.call("pubsub", "numsub", "deaf:a", "deaf:b"), soon)
      .toEqual(["deaf:a", 1, "deaf:b", 1]);
    await control.publish("deaf:a", "7");
    await expect.poll(() => heard.get("a"), soon).toBe(7);
  });
});
