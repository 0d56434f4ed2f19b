import { afterAll, describe, expect, test } from "vitest";
import { startProxy } from "../../../test/servers/proxy.ts";
import { startRedis } from "../../../test/servers/redis.ts";
import type { Commit } from "../store.ts";
import { RedisKeys, shardOf } from "./keys.ts";
import { redisStore } from "./redis-store.ts";

const server = await startRedis("redis-server", { appendonly: "no" });
afterAll(() => server?.stop());

const commit: Commit = { now: 0, accessedAt: 0, transactions: 1, expect: new Map(), changes: new Map() };
const birth: Commit = { ...commit, create: { createdAt: 0, endsAt: 1e9 }, timeoutMs: 1e9 };
const setting = (value: string): Commit => ({
  ...commit,
  changes: new Map([["a", { value, writer: "server", seq: 0 }]]),
});

describe.skipIf(!server)("commits of a client that may send them again", () => {
  if (!server) return;
  const control = server.ioredis();
  const open = (prefix: string) => ({
    store: redisStore(server.ioredis(), { prefix }),
    keys: new RedisKeys(prefix),
  });

  test("cost the same however many the session had lately, and leave nothing in it", async () => {
    const { store, keys } = open("hot:");
    await store.write("a", birth);
    const write = (count: number) =>
      Promise.all(Array.from({ length: count }, (_, i) => store.write("a", setting(`${i}`))));
    /** What the server takes for one of 300, in microseconds. */
    const price = async () => {
      await control.config("RESETSTAT");
      await write(300);
      return Number(/cmdstat_evalsha:.*usec_per_call=([\d.]+)/.exec(await control.info("commandstats"))?.[1]);
    };
    await write(100);
    const first = await price();
    const size = await control.memory("USAGE", keys.session("a"));
    for (let i = 0; i < 20; i++) await write(250);
    // Where each commit walks through those before it, fifty times as much.
    expect(await price()).toBeLessThan(10 * first);
    expect(await control.memory("USAGE", keys.session("a"))).toBe(size);
    expect(await control.zcard(keys.nonces(shardOf("a")))).toBe(1 + 100 + 300 + 20 * 250 + 300);
  });

  test("are told apart although thousands came in the same millisecond, and each is answered its own revision", async () => {
    const proxy = await startProxy(server.port);
    try {
      const prefix = "many:";
      const store = redisStore(server.ioredis({ port: proxy.port }), { prefix });
      await store.write("a", birth);
      proxy.muteServer();
      const writing = Promise.all(Array.from({ length: 2000 }, (_, i) => store.write("a", setting(`${i}`))));
      const there = redisStore(control, { prefix });
      await expect.poll(async () => (await there.read("a"))?.rev, { timeout: 4000 }).toBe(2001);
      proxy.mend();
      proxy.cut();
      expect(await writing).toEqual(Array.from({ length: 2000 }, (_, i) => ({ ok: true, rev: i + 2 })));
      expect((await there.read("a"))?.rev).toBe(2001);
    } finally {
      await proxy.stop();
    }
  });

  test("are done once although the session ended in between", async () => {
    const proxy = await startProxy(server.port);
    try {
      const prefix = "ended:";
      const store = redisStore(server.ioredis({ port: proxy.port }), { prefix });
      const there = redisStore(control, { prefix });
      await there.read("a");
      await store.write("zz", { ...commit, create: { createdAt: 0, endsAt: 1 }, timeoutMs: 1 });
      proxy.muteServer();
      const writing = store.write("a", birth);
      await expect.poll(async () => (await there.read("a"))?.rev).toBe(1);
      await there.delete("a");
      proxy.mend();
      proxy.cut();
      expect(await writing).toEqual({ ok: true, rev: 1 });
      expect(await there.read("a")).toBeNull();
    } finally {
      await proxy.stop();
    }
  });

  test("are told to nobody, and leave no trace, when the server has no memory for them", async () => {
    const { store, keys } = open("full:");
    const heard: number[] = [];
    await store.write("a", birth);
    store.watch?.("a", (rev) => heard.push(rev));
    await expect.poll(() => heard).toEqual([1]);
    const traces = async () => [
      await control.hgetall(keys.session("a")),
      await control.zcard(keys.nonces(shardOf("a"))),
    ];
    const before = await traces();
    await control.config("SET", "maxmemory", "1");
    try {
      await expect(store.write("a", setting("1"))).rejects.toMatchObject({
        code: "STORE_UNAVAILABLE",
        message: expect.stringContaining("no memory left"),
      });
    } finally {
      await control.config("SET", "maxmemory", "0");
    }
    expect(await traces()).toEqual(before);
    // Behind what was told before it.
    await control.publish(keys.session("a"), "7");
    await expect.poll(() => heard.at(-1)).toBe(7);
    expect(heard).toEqual([1, 7]);
    expect(await store.write("a", setting("2"))).toEqual({ ok: true, rev: 2 });
    await store.close();
  });
});
