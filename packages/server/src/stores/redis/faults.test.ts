import { Cluster, Redis } from "ioredis";
import { afterAll, describe, expect, test } from "vitest";
import { startProxy } from "../../../test/servers/proxy.ts";
import { startRedis, startRedisCluster } from "../../../test/servers/redis.ts";
import type { Commit } from "../store.ts";
import { RedisKeys, shardCount, shardOf } from "./keys.ts";
import { type RedisClient, redisStore } from "./redis-store.ts";

const server = await startRedis();
afterAll(() => server?.stop());

const put = (value: string) => ({ value, writer: "server", seq: 0 });
const commit: Commit = { now: 0, accessedAt: 0, transactions: 1, expect: new Map(), changes: new Map() };
const birth: Commit = { ...commit, create: { createdAt: 0, endsAt: 1e6 }, timeoutMs: 1e6 };
const setting = (value: string): Commit => ({ ...commit, changes: new Map([["a", put(value)]]) });

const failure = (code: string, words: string) =>
  expect.objectContaining({ code, message: expect.stringContaining(words) });

test.each([
  ["one that reads from replicas", "scaleReads", new Cluster([], { lazyConnect: true, scaleReads: "slave" })],
  ["one that prefixes keys, but not channels", "keyPrefix", new Redis({ lazyConnect: true, keyPrefix: "a:" })],
  ["a cluster's that does so", "keyPrefix", new Cluster([], { lazyConnect: true, keyPrefix: "a:" })],
  [
    "a cluster's whose connections do so",
    "keyPrefix",
    new Cluster([], { lazyConnect: true, redisOptions: { keyPrefix: "a:" } }),
  ],
  [
    "one that Sentinel leads to a replica",
    'role "slave"',
    new Redis({ lazyConnect: true, sentinels: [{ port: 1 }], name: "shop", role: "slave" }),
  ],
])("refuses a client that would not see what it has written: %s", (_, word, client) => {
  expect(() => redisStore(client)).toThrow(failure("INVALID_OPTION", word));
});

test("shards rise with the identifiers", () => {
  const letters = [..."-0AZ_az"];
  const identifiers = letters.flatMap((one) => letters.map((two) => one + two)).sort();
  const shards = identifiers.map(shardOf);
  expect(shards).toEqual([...shards].sort((a, b) => a - b));
  expect([shards[0], shards.at(-1)]).toEqual([0, shardCount - 1]);
});

describe.skipIf(!server)("redisStore", () => {
  if (!server) return;
  let prefixes = 0;
  const fresh = (options: Parameters<typeof redisStore>[1] = {}, client: RedisClient = server.ioredis()) => {
    const prefix = `fault${++prefixes}:`;
    return { prefix, keys: new RedisKeys(prefix), store: redisStore(client, { prefix, ...options }) };
  };
  const control: Redis = server.ioredis();

  test("a script that the server has forgotten is sent again", async () => {
    const { store } = fresh();
    await store.write("a", birth);
    await control.script("FLUSH");
    expect(await store.write("a", setting("1"))).toEqual({ ok: true, rev: 2 });
    expect(await store.delete("a")).toBe(true);
  });

  test("every call is one command, and none is KEYS or SCAN", async () => {
    const { store } = fresh();
    await store.write("a", birth);
    await store.touch([{ key: "a", accessedAt: 1, transactions: 1 }]);
    const monitor = await server.ioredis().monitor();
    const sent: string[] = [];
    monitor.on("monitor", (_time: string, args: string[], source: string) => {
      if (source !== "lua") sent.push(args[0]?.toUpperCase() ?? "");
    });
    const told = async () => {
      await control.echo("end");
      await expect.poll(() => sent.includes("ECHO")).toBe(true);
      return sent.splice(0).filter((name) => name !== "ECHO");
    };
    await store.read("a");
    expect(await told()).toEqual(["HGETALL"]);
    const changes = new Map(Array.from({ length: 30 }, (_, i) => [`key${i}`, put("1")]));
    await store.write("a", { ...commit, changes, subject: "s", expect: new Map([["b", 0]]) });
    expect(await told()).toEqual(["EVALSHA"]);
    expect(await store.write("a", { ...setting("2"), expect: new Map([["a", 7]]) })).toMatchObject({ ok: false });
    expect(await told()).toEqual(["EVALSHA"]);
    await store.touch([{ key: "a", accessedAt: 1, transactions: 1 }]);
    expect(await told()).toEqual(["EVALSHA"]);
    for (const query of [{}, { subject: "s" }, { expiredAt: 1 }]) await store.find({ ...query, limit: 10 });
    await store.sweep(1e9, 10);
    expect((await told()).filter((name) => name === "KEYS" || name === "SCAN")).toEqual([]);
    monitor.disconnect();
  });

  test("a server that has no script yet is told them, in one more command", async () => {
    const { store } = fresh();
    await control.script("FLUSH");
    expect(await store.write("a", birth)).toEqual({ ok: true, rev: 1 });
  });

  test("the server itself forgets a session a while after it has expired, and its subject's index too", async () => {
    const { store, keys } = fresh({ linger: 10 });
    await store.write("a", { ...birth, subject: "s", timeoutMs: 5000 });
    const ttl = () => control.pttl(keys.session("a"));
    // Its five seconds, the ten, and a minute by which the expiry may move without telling the server.
    expect(await ttl()).toBeGreaterThan(74_000);
    expect(await ttl()).toBeLessThanOrEqual(75_000);
    await store.write("a", { ...commit, now: 1000, accessedAt: 1000, timeoutMs: 100_000 });
    expect(await ttl()).toBeGreaterThan(169_000);
    expect(await ttl()).toBeLessThanOrEqual(170_000);
    // Renewed only when the index moves.
    await control.pexpire(keys.session("a"), 5_000_000);
    await store.touch([{ key: "a", accessedAt: 50_000, transactions: 1 }]);
    expect(await ttl()).toBeGreaterThan(4_900_000);
    await store.touch([{ key: "a", accessedAt: 100_500, transactions: 1 }]);
    expect(await ttl()).toBeGreaterThan(169_000);
    await store.write("a", { ...commit, now: 100_500, accessedAt: 100_500, timeoutMs: 1000 });
    expect(await ttl()).toBeLessThanOrEqual(71_000);
    const index = await control.pttl(keys.subject(shardOf("a"), "s"));
    expect(index).toBeGreaterThan(1_000_000);
    expect(index).toBeLessThanOrEqual(1_020_000);
  });

  test("a sweep that finds a session in use moves the time at which the server forgets it, as well", async () => {
    const { store, keys } = fresh({ linger: 0 });
    await store.write("a", { ...birth, timeoutMs: 100_000 });
    await store.write("a", { ...commit, now: 59_000, accessedAt: 59_000 });
    expect(await store.sweep(101_000, 10)).toBe(0);
    await store.write("a", { ...commit, now: 110_000, accessedAt: 110_000 });
    // Alive until 210,000, and 110,000 have passed only on paper.
    expect(await control.pttl(keys.session("a"))).toBeGreaterThan(210_000 - 5_000);
  });

  test("indexes heal themselves of sessions that are gone", async () => {
    const { store, keys } = fresh();
    for (const key of ["aa", "ab", "ac"]) await store.write(key, { ...birth, subject: "s" });
    const index = keys.subject(shardOf("aa"), "s");
    // As the server forgets one that has expired.
    await control.del(keys.session("aa"));
    await store.delete("ab");
    expect(await control.zcard(index)).toBe(3);
    expect((await store.find({ subject: "s", limit: 10 })).items.map((info) => info.identifier)).toEqual(["ac"]);
    expect(await control.zcard(index)).toBe(1);
    expect((await store.find({ limit: 10 })).items).toHaveLength(1);
    expect(await store.sweep(1e9, 10)).toBe(1);
    expect(await control.keys(`${keys.session("aa").split("{")[0]}*d:*`)).toEqual([]);
    expect(await store.sweep(1e9, 10)).toBe(0);
  });

  test("what is in memory is never shown for what another process, or a restored backup, has put in its place", async () => {
    const { store, keys, prefix } = fresh();
    const there = redisStore(server.ioredis(), { prefix });
    const shown = async (of: typeof store) => (await of.read("a"))?.entries.get("a")?.value;
    await store.write("a", { ...birth, changes: setting("1").changes });
    expect([await shown(store), await shown(store), await shown(there)]).toEqual(["1", "1", "1"]);
    const dump = await control.dumpBuffer(keys.session("a"));
    await there.write("a", setting("2"));
    expect([await shown(store), await shown(there)]).toEqual(["2", "2"]);
    await control.restore(keys.session("a"), 0, dump ?? "", "REPLACE");
    await there.write("a", setting("3"));
    expect((await store.read("a"))?.rev).toBe(2);
    expect([await shown(store), await shown(there)]).toEqual(["3", "3"]);
  });

  test("a commit that a client sends again after a cut is done once", async () => {
    const proxy = await startProxy(server.port);
    const { store } = fresh({}, server.ioredis({ port: proxy.port }));
    try {
      await store.write("a", birth);
      for (let i = 2; i < 8; i++) {
        proxy.muteServer();
        const writing = store.write("a", {
          ...setting(String(i)),
          expect: i > 2 ? new Map([["a", i - 1]]) : new Map(),
        });
        const { store: other } = { store: redisStore(control, { prefix: `fault${prefixes}:` }) };
        await expect.poll(async () => (await other.read("a"))?.rev).toBe(i);
        proxy.mend();
        proxy.cut();
        expect(await writing).toEqual({ ok: true, rev: i });
      }
      expect((await store.read("a"))?.transactions).toBe(7);
    } finally {
      await proxy.stop();
    }
  });

  test.each(["ioredis", "node-redis"])("a cut in the middle of a commit of %s is told, or mended", async (library) => {
    const proxy = await startProxy(server.port);
    try {
      const client =
        library === "ioredis" ? server.ioredis({ port: proxy.port }) : await server.nodeRedis(3, proxy.port);
      const { store } = fresh({ timeout: 1 }, client);
      await store.write("a", birth);
      proxy.muteServer();
      const writing = store.write("a", setting("1")).catch((error: unknown) => error);
      proxy.cut(true);
      const outcome = await writing;
      if (library === "node-redis") expect(outcome).toMatchObject({ code: "STORE_UNAVAILABLE" });
      await expect(store.read("a")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
      const began = performance.now();
      await expect(store.write("a", setting("2"))).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
      // Once it is known to be down, nobody waits.
      expect(performance.now() - began).toBeLessThan(500);
      proxy.mend();
      await expect
        .poll(async () => (await store.read("a").catch(() => null))?.rev, { timeout: 5000 })
        .toBeGreaterThan(0);
      expect(["1", undefined]).toContain((await store.read("a"))?.entries.get("a")?.value);
    } finally {
      await proxy.stop();
    }
  });

  test("a server that does not answer is STORE_UNAVAILABLE at the deadline", async () => {
    const proxy = await startProxy(server.port);
    try {
      const { store } = fresh({ timeout: 0.1 }, await server.nodeRedis(3, proxy.port));
      await store.read("a");
      proxy.muteServer();
      await expect(store.read("a")).rejects.toEqual(failure("STORE_UNAVAILABLE", "within 0.1 s"));
    } finally {
      await proxy.stop();
    }
  });

  test("a client that was never connected says so", async () => {
    const client = await server.nodeRedis();
    (client as unknown as { destroy(): void }).destroy();
    await expect(fresh({}, client).store.read("a")).rejects.toEqual(failure("STORE_UNAVAILABLE", "connect the client"));
  });

  test("somebody else's key is STORE_UNUSABLE, and stays as it is", async () => {
    const { store, keys } = fresh();
    await control.set(keys.session("a"), "mine");
    await expect(store.read("a")).rejects.toEqual(failure("STORE_UNUSABLE", "something else"));
    await expect(store.write("a", setting("1"))).rejects.toEqual(failure("STORE_UNUSABLE", "something else"));
    expect(await control.get(keys.session("a"))).toBe("mine");
  });

  test("a user who may not is STORE_UNUSABLE", async () => {
    const { store, prefix } = fresh();
    await control.acl("SETUSER", "guest", "on", "nopass", "~elsewhere:*", "+@all");
    const client = server.ioredis();
    await client.auth("guest", "any");
    await expect(redisStore(client, { prefix }).read("a")).rejects.toEqual(
      failure("STORE_UNUSABLE", "refuses this user"),
    );
    await store.close();
  });

  test("a replica takes no commit; with wait, neither does a master whose replicas have left", async () => {
    const replica = await startRedis("redis-server", { replicaof: `127.0.0.1 ${server.port}` });
    if (!replica) throw new Error("unreachable");
    try {
      for (const connect of [async () => server.ioredis(), () => server.nodeRedis()]) {
        const { store, prefix } = fresh({ wait: { replicas: 1, timeout: 1 } }, await connect());
        await expect.poll(() => control.info("replication"), { timeout: 10_000 }).toContain("state=online");
        expect(await store.write("a", birth)).toEqual({ ok: true, rev: 1 });
        const there = redisStore(replica.ioredis(), { prefix });
        expect((await there.read("a"))?.rev).toBe(1);
        await expect(there.write("a", setting("1"))).rejects.toEqual(failure("STORE_UNAVAILABLE", "replica"));
        expect(await store.write("a", { ...setting("2"), expect: new Map([["b", 5]]) })).toMatchObject({ ok: false });
        // An orderly end is refused while the replica writes its first log.
        await replica.halt("SIGKILL");
        await expect(store.write("a", setting("2"))).rejects.toEqual(failure("STORE_UNAVAILABLE", "0 of 1 replicas"));
        await replica.start();
      }
    } finally {
      await replica.stop();
    }
  });

  test("a server that crashes and comes back is used again, and nothing acknowledged is gone", async () => {
    const other = await startRedis("redis-server", { appendfsync: "always" });
    if (!other) throw new Error("unreachable");
    try {
      for (const client of [other.ioredis(), await other.nodeRedis()]) {
        const { store } = fresh({ timeout: 1 }, client);
        await store.write("a", birth);
        const heard: number[] = [];
        const stop = store.watch?.("a", (rev) => heard.push(rev));
        let told = 1;
        let running = true;
        const writing = (async () => {
          while (running) {
            const result = await store.write("a", setting(String(told + 1))).catch(() => undefined);
            if (result?.ok) told = result.rev;
            await new Promise((resolve) => setTimeout(resolve, 1));
          }
        })();
        await expect.poll(() => told).toBeGreaterThan(20);
        await other.halt("SIGKILL");
        const before = told;
        await other.start();
        await expect.poll(() => told, { timeout: 5000 }).toBeGreaterThan(before);
        running = false;
        await writing;
        const record = await store.read("a");
        expect(record?.rev).toBeGreaterThanOrEqual(told);
        await expect.poll(() => heard.at(-1), { timeout: 5000 }).toBe(record?.rev);
        stop?.();
        await store.close();
      }
    } finally {
      await other.stop();
    }
  });
});

const cluster = await startRedisCluster();
afterAll(() => cluster?.stop());

test.skipIf(!cluster)("all of a session lies in one slot, and the shards lie evenly over the slots", async () => {
  const client = cluster?.ioredis();
  const keys = new RedisKeys("p:");
  const slots = new Set<number>();
  for (const identifier of ["-", "Az", "mm", "zz"]) {
    const names = [...keys.of(identifier), keys.subject(shardOf(identifier), "s {x}")];
    const found = await Promise.all(names.map((name) => client?.cluster("KEYSLOT", name)));
    expect(new Set(found).size).toBe(1);
  }
  for (let shard = 0; shard < shardCount; shard++)
    slots.add(Number(await client?.cluster("KEYSLOT", keys.cells(shard))));
  const parts = [...slots].map((slot) => Math.floor(slot / (16384 / shardCount)));
  expect(parts).toEqual(Array.from({ length: shardCount }, (_, i) => i));
});
