import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { startProxy } from "../../../test/servers/proxy.ts";
import { startRedis } from "../../../test/servers/redis.ts";
import type { Commit } from "../store.ts";
import { ServerClock } from "./clock.ts";
import type { RedisClient } from "./driver.ts";
import { RedisKeys, shardOf } from "./keys.ts";
import { redisStore } from "./redis-store.ts";

const server = await startRedis();
afterAll(() => server?.stop());
afterEach(() => vi.restoreAllMocks());

const commit: Commit = { now: 0, accessedAt: 0, transactions: 1, expect: new Map(), changes: new Map() };
const birth: Commit = { ...commit, create: { createdAt: 0, endsAt: 1e6 }, timeoutMs: 1e6 };
const setting = (value: string): Commit => ({
  ...commit,
  changes: new Map([["a", { value, writer: "server", seq: 0 }]]),
});

test("a server's clock is never taken to be further ahead than what was heard of it allows", () => {
  const clock = new ServerClock();
  clock.hear(10_000, 0, 100);
  expect(clock.at(50)).toBe(9_950);
  // Within what was known: somewhere between 9,900 and 10,000 ahead.
  clock.hear(10_250, 300, 500);
  expect(clock.at(0)).toBe(9_900);
  clock.hear(11_000, 1_000, 1_010);
  expect(clock.at(0)).toBe(9_990);
  // It was set back.
  clock.hear(5_000, 2_000, 2_010);
  expect(clock.at(0)).toBe(2_990);
  clock.unset();
  expect(clock.set(async () => 1e6)).toBeInstanceOf(Promise);
});

describe.skipIf(!server)("redisStore's deadline", () => {
  if (!server) return;
  let prefixes = 0;
  const fresh = (client: RedisClient, timeout: number) => {
    const prefix = `late${++prefixes}:`;
    const there = redisStore(control, { prefix });
    return { keys: new RedisKeys(prefix), store: redisStore(client, { prefix, timeout }), there };
  };
  const control = server.ioredis();
  const clients = {
    ioredis: (port = server.port) => server.ioredis({ port }),
    "node-redis": (port = server.port) => server.nodeRedis(3, port),
  };

  test.each(Object.entries(clients))(
    "by %s: what was told to have failed does not take effect when a stalled server goes on",
    async (_, connect) => {
      const client = await connect();
      const { store, there } = fresh(client, 1);
      await store.write("a", birth);
      await store.write("b", birth);
      // So that the server has every script.
      await store.delete("c");
      await server.freeze();
      const outcomes = await Promise.allSettled([
        store.write("a", setting("late")),
        store.delete("b"),
        store.write("c", birth),
      ]);
      server.thaw();
      expect(outcomes.map((outcome) => outcome.status === "rejected" && outcome.reason.code)).toEqual(
        Array(3).fill("STORE_UNAVAILABLE"),
      );
      // Behind them on the same connection: they were run, or refused, before it.
      await store.read("a");
      expect((await there.read("a"))?.rev).toBe(1);
      expect((await there.read("b"))?.rev).toBe(1);
      expect(await there.read("c")).toBeNull();
      expect(await store.write("a", setting("in time"))).toEqual({ ok: true, rev: 2 });
    },
  );

  test("a script that the server has forgotten is not sent again once nobody waits for it", async () => {
    const { store, there } = fresh(server.ioredis(), 1);
    await store.write("a", birth);
    await store.touch([{ key: "a", accessedAt: 1, transactions: 1 }]);
    await control.script("FLUSH");
    await server.freeze();
    const touching = store.touch([{ key: "a", accessedAt: 2, transactions: 1 }]);
    await expect(touching).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    server.thaw();
    await store.read("a");
    await store.read("a");
    expect((await there.read("a"))?.transactions).toBe(2);
  });

  test("a commit that a client sends again so late that it is not known any more is refused", async () => {
    const proxy = await startProxy(server.port);
    try {
      const { store, there, keys } = fresh(server.ioredis({ port: proxy.port }), 1);
      await store.write("a", birth);
      proxy.muteServer();
      await expect(store.write("a", setting("once"))).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
      expect((await there.read("a"))?.transactions).toBe(2);
      // As later commits do, in time.
      expect(await control.del(keys.nonces(shardOf("a")))).toBe(1);
      proxy.mend();
      proxy.cut();
      await expect.poll(() => store.read("a").catch(() => null), { timeout: 5000 }).not.toBeNull();
      expect((await there.read("a"))?.transactions).toBe(2);
    } finally {
      await proxy.stop();
    }
  });

  test("a commit is known by its nonce as long as it may still come, and not much longer", async () => {
    const client = server.ioredis();
    const prefix = `late${++prefixes}:`;
    const [long, short] = [redisStore(client, { prefix, timeout: 60 }), redisStore(client, { prefix, timeout: 1 })];
    await long.write("a", birth);
    const nonces = new RedisKeys(prefix).nonces(shardOf("a"));
    const known = () => control.zrange(nonces, "0", "-1");
    const [first = ""] = await known();
    const till = Number(first.split(":")[0]) - Date.now();
    expect(till).toBeGreaterThan(50_000);
    expect(till).toBeLessThanOrEqual(60_000);
    // One of which nobody can send anything any more, and one that was sent five seconds later.
    const at = (time: number, nonce: string) => `${String(time).padStart(14, "0")}:${nonce}:1`;
    const young = at(Date.now() - 1000, "abcdefgi");
    await control.zadd(nonces, 0, at(Date.now() - 6000, "abcdefgh"), 0, young);
    await short.write("a", setting("1"));
    const after = await known();
    expect(after).toHaveLength(3);
    expect([after[0], after[2]]).toEqual([young, first]);
    // The server itself forgets all of them a while after the last.
    const ttl = await control.pttl(nonces);
    expect(ttl).toBeGreaterThan(till + 5000);
    expect(ttl).toBeLessThanOrEqual(60_000 + 5000 + 60_000);
  });

  test("a process that was suspended, and a server whose clock was set, find each other again at once", async () => {
    const { store } = fresh(await server.nodeRedis(), 1);
    await store.write("a", birth);
    const now = performance.now.bind(performance);
    // The monotonic clock stands still while a machine sleeps; the server's does not.
    vi.spyOn(performance, "now").mockImplementation(() => now() - 60_000);
    expect(await store.write("a", setting("1"))).toEqual({ ok: true, rev: 2 });
    // The other way round: the next answer tells that the server's clock was set back by a minute.
    vi.mocked(performance.now).mockImplementation(() => now());
    expect(await store.write("a", setting("2"))).toEqual({ ok: true, rev: 3 });
    await server.freeze();
    await expect(store.write("a", setting("late"))).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    server.thaw();
    expect((await store.read("a"))?.rev).toBe(3);
  });

  test("the server's time is asked for once, whatever number of commits comes first", async () => {
    const client = server.ioredis();
    const monitor = await server.ioredis().monitor();
    const sent: string[] = [];
    monitor.on("monitor", (_time: string, args: string[], source: string) => {
      if (source !== "lua") sent.push(args[0]?.toUpperCase() ?? "");
    });
    const warm = fresh(client, 1).store;
    await warm.write("a", birth);
    const { store } = fresh(client, 1);
    const told = async () => {
      await control.echo("end");
      await expect.poll(() => sent.includes("ECHO")).toBe(true);
      return sent.splice(0).filter((name) => name !== "ECHO");
    };
    await told();
    await Promise.all(["a", "b", "c"].map((key) => store.write(key, birth)));
    expect(await told()).toEqual(Array(4).fill("EVALSHA"));
    for (const key of ["a", "b", "c"]) await store.write(key, setting("1"));
    expect(await told()).toEqual(Array(3).fill("EVALSHA"));
    monitor.disconnect();
  });
});
