import fc from "fast-check";
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { damagedFields, goodFields, unreadable } from "../../../test/damaged-hashes.ts";
import { startRedis, startRedisCluster } from "../../../test/servers/redis.ts";
import type { Commit } from "../store.ts";
import { cellOf, RedisKeys, shardOf } from "./keys.ts";
import { type RedisClient, redisStore } from "./redis-store.ts";

const server = await startRedis();
const cluster = await startRedisCluster();
afterAll(() => Promise.all([server?.stop(), cluster?.stop()]));
afterEach(() => vi.restoreAllMocks());

const put = (value: string | null, writer = "server", seq = 0) => ({ value, writer, seq });
const commit: Commit = { now: 0, accessedAt: 0, transactions: 1, expect: new Map(), changes: new Map() };
const birth: Commit = {
  ...commit,
  create: { createdAt: 0, endsAt: 1e6 },
  timeoutMs: 1000,
  subject: "Ann",
  changes: new Map([
    ["a", put("1")],
    ["b", put("2", "profile/tab", 7)],
    ["~c", put(null)],
  ]),
};
const identifier = "zz-session";
describe.skipIf(!server)("a damaged session", () => {
  if (!server) return;
  const control = server.ioredis();
  let prefixes = 0;
  const open = (client: RedisClient = server.ioredis()) => {
    const prefix = `damage${++prefixes}:`;
    return { store: redisStore(client, { prefix }), keys: new RedisKeys(prefix) };
  };
  const outcomeOf = (work: Promise<unknown>) =>
    work.then(
      () => "done",
      (error: unknown) => error,
    );

  test("is STORE_UNUSABLE to every call about it, whatever is left of it, and never half written", async () => {
    vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const { store, keys } = open(await server.nodeRedis());
    const key = keys.session(identifier);
    await fc.assert(
      fc.asyncProperty(damagedFields, async (some) => {
        await control.del(key);
        await store.write(identifier, birth);
        await control.hset(key, some);
        const before = await control.hgetall(key);
        const about = [
          store.read(identifier),
          store.write(identifier, {
            ...commit,
            subject: "Bob",
            changes: new Map([["a", put("3")]]),
            expect: new Map([["b", 9]]),
          }),
          store.delete(identifier, -1),
        ];
        for (const outcome of await Promise.all(about.map(outcomeOf))) {
          if (outcome !== "done") expect(outcome).toEqual(unreadable(identifier));
        }
        expect(await control.hgetall(key)).toEqual(before);
        // Those about many: not for this one's sake.
        await store.touch([{ key: identifier, accessedAt: -1, transactions: 1 }]);
        await store.find({ limit: 5 });
        await store.find({ limit: 5, subject: "Ann", entries: ["a", "b"] });
        await store.sweep(-1, 5);
        const writing = await outcomeOf(store.write(identifier, { ...commit, changes: new Map([["a", put("3")]]) }));
        if (writing !== "done") {
          expect(writing).toEqual(unreadable(identifier));
          expect((await control.hgetall(key)).m).toBe(before.m);
        }
      }),
      { numRuns: 150 },
    );
  });

  test.each(["m", "u", "=a"])("whose field %s is nonsense can be ended all the same", async (field) => {
    const { store, keys } = open();
    await store.write(identifier, birth);
    await control.hset(keys.session(identifier), field, "nonsense");
    await expect(store.read(identifier)).rejects.toEqual(unreadable(identifier));
    expect(await store.delete(identifier)).toBe(true);
    expect(await store.read(identifier)).toBeNull();
    expect(await control.zcard(keys.cell(shardOf(identifier), cellOf(identifier)))).toBe(0);
  });

  test("that has lost its field m is not taken for none, nor is another put in its place", async () => {
    const { store, keys } = open();
    await store.write(identifier, birth);
    await control.hdel(keys.session(identifier), "m");
    await expect(store.read(identifier)).rejects.toEqual(unreadable(identifier));
    await expect(store.write(identifier, birth)).rejects.toEqual(unreadable(identifier));
    await expect(store.write(identifier, commit)).rejects.toEqual(unreadable(identifier));
    expect(await control.hlen(keys.session(identifier))).toBe(4);
    expect(await store.delete(identifier)).toBe(true);
    expect(await control.exists(keys.session(identifier))).toBe(0);
  });

  test("holds up no sweep, no walk, no touch and nobody's revocation, and is told on the console once", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const { store, keys } = open();
    // All in one shard, the damaged ones first in the order of expiry.
    const ids = Array.from({ length: 80 }, (_, i) => `zz${String(i).padStart(3, "0")}`);
    for (const [i, id] of ids.entries()) await store.write(id, { ...birth, timeoutMs: 100 + i });
    const bad = ids.slice(0, 40);
    for (const [i, id] of bad.entries()) await control.hset(keys.session(id), i % 2 ? "u" : "m", "nonsense");
    for (const id of bad.slice(0, 2)) {
      await control.del(keys.session(id));
      await control.set(keys.session(id), "somebody else's");
    }
    const healthy = ids.slice(40);
    for (const query of [{}, { subject: "Ann" }, { subject: "Ann", entries: ["a"] }, { expiredAt: 5000 }]) {
      const found: string[] = [];
      for (let cursor: string | undefined; ; ) {
        const page = await store.find({ ...query, limit: 7, ...(cursor === undefined ? {} : { cursor }) });
        found.push(...page.items.map((info) => info.identifier));
        cursor = page.cursor;
        if (cursor === undefined) break;
      }
      expect(found).toEqual(healthy);
    }
    await store.touch(ids.map((key) => ({ key, accessedAt: 50, transactions: 1 })));
    expect((await store.read(ids[79] ?? ""))?.transactions).toBe(2);
    // Those whose `m` is well have expired as any other.
    expect(await store.sweep(5000, 1000)).toBe(40 + 19);
    expect(await store.sweep(5000, 1000)).toBe(0);
    const lines = warn.mock.calls.map(([line]) => String(line));
    expect(lines).toHaveLength(40);
    for (const id of bad)
      expect(lines.filter((line) => line.startsWith(`catnap: Session ${id} cannot be read: `))).toHaveLength(1);
    for (const id of bad.filter((_, i) => i % 2 === 0)) await expect(store.read(id)).rejects.toEqual(unreadable(id));
  });

  test("is left to the server, which forgets it in its time, and no sweep comes by it again", async () => {
    vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const { store, keys } = open();
    await store.write(identifier, birth);
    await control.hset(keys.session(identifier), "m", "nonsense");
    const score = () => control.zscore(keys.cell(shardOf(identifier), cellOf(identifier)), identifier);
    expect(await score()).toBe("1000");
    await expect(store.delete(identifier, 5000)).rejects.toEqual(unreadable(identifier));
    const left = await control.pttl(keys.session(identifier));
    expect(Math.abs(Number(await score()) - 5000 - left)).toBeLessThan(5000);
    await control.persist(keys.session(identifier));
    await expect(store.delete(identifier, 5000)).rejects.toEqual(unreadable(identifier));
    expect(await score()).toBe("inf");
    await control.del(keys.session(identifier));
    await expect.poll(() => store.find({ limit: 5 })).toEqual({ items: [] });
  });

  test("an identifier that does not belong into an index leads nowhere, in a cluster neither", async () => {
    for (const client of [server.ioredis(), cluster?.ioredis()]) {
      if (!client) continue;
      const { store, keys } = open(client);
      await store.write("zz", birth);
      await store.write("aa", birth);
      await client.zadd(keys.cell(63, 63 * 64 + 63), 1, "aa");
      await client.zadd(keys.cells(63), 1, "nonsense");
      await client.zadd(keys.subject(63, "Ann"), 1e9, "aa");
      for (const query of [{}, { subject: "Ann" }, { expiredAt: 5000 }]) {
        expect((await store.find({ ...query, limit: 5 })).items.map((info) => info.identifier)).toEqual(["aa", "zz"]);
      }
      expect(await store.sweep(5000, 10)).toBe(2);
    }
  });

  test("hears of a change only what can be read, and its watch goes on", async () => {
    const { store, keys } = open();
    await store.write(identifier, birth);
    const heard: number[] = [];
    await control.hset(keys.session(identifier), "m", "nonsense");
    store.watch?.(identifier, (rev) => heard.push(rev));
    await expect.poll(() => control.call("pubsub", "numsub", keys.session(identifier))).toContain(1);
    expect(heard).not.toContain(0);
    await control.hset(keys.session(identifier), "m", goodFields.m);
    expect(await store.write(identifier, commit)).toEqual({ ok: true, rev: 4 });
    await expect.poll(() => heard.at(-1)).toBe(4);
    await store.close();
  });
});

describe.skipIf(!server)("a time without end", () => {
  if (!server) return;
  test("is none to the server, and its session is written as a whole", async () => {
    const store = redisStore(server.ioredis(), { prefix: "endless:" });
    const create = { createdAt: 0, endsAt: 1e300 };
    expect(await store.write("a", { ...birth, create, timeoutMs: 1e299 })).toEqual({ ok: true, rev: 1 });
    expect((await store.read("a"))?.timeoutMs).toBe(1e299);
    expect(await store.lease?.("task", "me", 1e300)).toBe(true);
    expect(await store.lease?.("task", "you", 1)).toBe(false);
  });
});
