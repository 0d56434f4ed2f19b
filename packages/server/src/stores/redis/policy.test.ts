import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { type RedisServer, startRedis, startRedisCluster } from "../../../test/servers/redis.ts";
import type { Commit } from "../store.ts";
import { type RedisClient, redisStore } from "./redis-store.ts";

const evicting = { "maxmemory-policy": "allkeys-lru" };
const redis = await startRedis("redis-server", evicting);
const valkey = await startRedis("valkey-server", evicting);
const tidy = await startRedis();
const cluster = await startRedisCluster();
afterAll(() => Promise.all([redis, valkey, tidy, cluster].map((server) => server?.stop())));
afterEach(() => vi.restoreAllMocks());

const birth: Commit = {
  now: 0,
  accessedAt: 0,
  transactions: 1,
  create: { createdAt: 0, endsAt: 1e6 },
  timeoutMs: 1000,
  expect: new Map(),
  changes: new Map(),
};
const listen = () => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  return () => warn.mock.calls.map(([line]) => String(line));
};
/** One line, which names the setting, what it has, and the remedy. */
const line = (policy: string) =>
  expect.stringMatching(
    new RegExp(`^catnap: [^\\n]*maxmemory-policy ${policy}:[^\\n]*set maxmemory-policy to noeviction$`),
  );

/** What a server was asked, in its order, until it has been asked for `last`. */
async function watched(server: RedisServer, last: string, work: () => Promise<unknown>) {
  const monitor = await server.ioredis().monitor();
  const sent: string[] = [];
  monitor.on("monitor", (_time: string, [name = ""]: string[], source: string) => {
    if (source !== "lua") sent.push(name.toUpperCase());
  });
  await work();
  await expect.poll(() => sent).toContain(last);
  monitor.disconnect();
  return sent.filter((name) => ["HGETALL", "EVALSHA", "EVAL", "INFO"].includes(name));
}

const clients: Record<string, (() => RedisClient | Promise<RedisClient>) | undefined> = {
  "Redis, by ioredis": redis && (() => redis.ioredis()),
  "Redis, by node-redis": redis && (() => redis.nodeRedis()),
  "Redis, by node-redis in RESP2": redis && (() => redis.nodeRedis(2)),
  "Valkey, by ioredis": valkey && (() => valkey.ioredis()),
};

for (const [name, connect] of Object.entries(clients)) {
  test.skipIf(!connect)(`${name}: a server that evicts is told of in one line, once for a client`, async () => {
    if (!connect) return;
    const lines = listen();
    const client = await connect();
    const [one, two] = [redisStore(client, { prefix: `${name}:` }), redisStore(client, { prefix: `${name}2:` })];
    for (const store of [one, two]) {
      await store.write("a", birth);
      await store.read("a");
    }
    await expect.poll(lines).toEqual([line("allkeys-lru")]);
    await one.sweep(0, 5);
    expect(lines()).toHaveLength(1);
  });
}

describe.skipIf(!cluster)("in a cluster", () => {
  test.each(["ioredis", "nodeRedis"] as const)("each master is asked, by %s", async (library) => {
    const [, second, third] = cluster?.nodes ?? [];
    const lines = listen();
    try {
      for (const node of [second, third]) await node?.ioredis().config("SET", "maxmemory-policy", "volatile-ttl");
      const store = redisStore((await cluster?.[library]()) as RedisClient, { prefix: `${library}:` });
      await store.read("a");
      await expect.poll(lines).toEqual([line("volatile-ttl")]);
    } finally {
      for (const node of [second, third]) await node?.ioredis().config("SET", "maxmemory-policy", "noeviction");
    }
  });
});

describe.skipIf(!tidy)("without eviction", () => {
  if (!tidy) return;

  test("nobody hears a word, and the server is asked once, after it has answered the first request", async () => {
    const lines = listen();
    const client = await tidy.nodeRedis();
    const sent = await watched(tidy, "EVALSHA", async () => {
      const store = redisStore(client);
      await store.read("a");
      for (let i = 0; i < 3; i++) await store.read("a");
      await store.sweep(0, 1);
      await store.touch([{ key: "a", accessedAt: 1, transactions: 1 }]);
    });
    expect(sent.filter((name) => name === "INFO")).toHaveLength(1);
    expect(sent.indexOf("INFO")).toBe(1);
    expect(lines()).toEqual([]);
  });

  test("a user who may not ask is served all the same, and so is one whose server does not say", async () => {
    const lines = listen();
    await tidy.ioredis().acl("SETUSER", "guest", "on", "nopass", "~*", "&*", "+@all", "-info");
    const client = await tidy.nodeRedis();
    // What the store calls of it, among its overloads.
    await (client as unknown as { sendCommand(args: string[]): Promise<unknown> }).sendCommand([
      "AUTH",
      "guest",
      "any",
    ]);
    const rejections: unknown[] = [];
    const hear = (reason: unknown) => rejections.push(reason);
    process.on("unhandledRejection", hear);
    try {
      const store = redisStore(client, { prefix: "guest:" });
      expect(await store.write("a", birth)).toEqual({ ok: true, rev: 1 });
      await store.sweep(0, 5);
      const mute = { status: "ready", isCluster: false, call: async () => null, duplicate: () => null };
      await redisStore(mute).read("a");
      await redisStore({ ...mute, isCluster: true }).read("a");
      await expect.poll(async () => (await store.read("a"))?.rev).toBe(1);
      expect(rejections).toEqual([]);
      expect(lines()).toEqual([]);
    } finally {
      process.off("unhandledRejection", hear);
    }
  });
});
