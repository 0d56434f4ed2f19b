import { setTimeout as pause } from "node:timers/promises";
import { afterAll, describe, expect, test, vi } from "vitest";
import { type RedisServer, startRedisCluster } from "../../../test/servers/redis.ts";
import type { Commit } from "../store.ts";
import { RedisKeys } from "./keys.ts";
import { type RedisClient, redisStore } from "./redis-store.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const commit: Commit = { now: 0, accessedAt: 0, transactions: 1, expect: new Map(), changes: new Map() };
const birth: Commit = { ...commit, create: { createdAt: 0, endsAt: 1e6 }, timeoutMs: 1e6 };
const setting = (value: string): Commit => ({
  ...commit,
  changes: new Map([["a", { value, writer: "server", seq: 0 }]]),
});

const cluster = await startRedisCluster();
const [safe, lonely] = cluster?.nodes ?? [];
if (cluster && safe) await cluster.addReplica(safe);
afterAll(() => cluster?.stop());

describe.skipIf(!cluster)("redisStore on a cluster whose slots move", () => {
  if (!cluster || !safe || !lonely) return;
  const { nodes } = cluster;
  const idOf = async (node: RedisServer) => String(await node.ioredis().call("cluster", "myid"));

  /** Moves a slot as `redis-cli --cluster reshard` does: what it holds, by and by, and then all are told of it. */
  async function begin(slot: number, from: RedisServer, to: RedisServer) {
    const [source, target] = [from.ioredis(), to.ioredis()];
    await target.call("cluster", "setslot", slot, "importing", await idOf(from));
    await source.call("cluster", "setslot", slot, "migrating", await idOf(to));
    return {
      async carry(count: number) {
        const keys = (await source.call("cluster", "getkeysinslot", slot, count)) as string[];
        if (keys.length > 0) await source.call("migrate", "127.0.0.1", to.port, "", 0, 5000, "KEYS", ...keys);
      },
      async finish() {
        // The one that gets it first; what they would tell each other takes its time.
        for (const node of new Set([to, from, ...nodes])) {
          await node.ioredis().call("cluster", "setslot", slot, "node", await idOf(to));
        }
      },
    };
  }
  async function move(slot: number, from: RedisServer, to: RedisServer) {
    const moving = await begin(slot, from, to);
    await moving.carry(1000);
    await moving.finish();
  }

  const clients: Record<string, () => RedisClient | Promise<RedisClient>> = {
    ioredis: () => cluster.ioredis(),
    "node-redis": () => cluster.nodeRedis(),
  };
  let prefixes = 0;

  describe.each(Object.entries(clients))("by %s", (name, connect) => {
    const open = async () => {
      const prefix = `slot-${name}${++prefixes}:`;
      const client = await connect();
      const store = redisStore(client, { prefix, wait: { replicas: 1, timeout: 1 }, timeout: 5 });
      const plain = redisStore(client, { prefix });
      // A session of a slot of each.
      const slotOf = async (key: string) =>
        Number(await safe.ioredis().call("cluster", "keyslot", new RedisKeys(prefix).session(key)));
      const letters = [..."-08GOWemuz"];
      const slots = new Map<string, number>();
      for (const letter of letters) slots.set(`${letter}a`, await slotOf(`${letter}a`));
      const owned = async (node: RedisServer) => {
        const ranges = (await safe.ioredis().call("cluster", "slots")) as [number, number, [string, number]][];
        return [...slots].find(([, slot]) =>
          ranges.some(([first, last, [, port]]) => port === node.port && slot >= first && slot <= last),
        );
      };
      return { store, plain, owned };
    };

    test("a commit is told when a replica of the master that has the slot now has it", async () => {
      const { store, plain, owned } = await open();
      const [key, slot] = (await owned(lonely)) ?? ["", 0];
      await plain.write(key, birth);
      await expect(store.write(key, setting("1"))).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
      await move(slot, lonely, safe);
      try {
        expect(await store.write(key, setting("2"))).toEqual({ ok: true, rev: 3 });
        expect(await store.write(key, setting("3"))).toEqual({ ok: true, rev: 4 });
        await move(slot, safe, lonely);
        // The old one's replica has nothing to do with it.
        await expect(store.write(key, setting("4"))).rejects.toMatchObject({
          message: expect.stringContaining("0 of 1 replicas"),
        });
        await expect(store.delete(key)).rejects.toMatchObject({ message: expect.stringContaining("0 of 1 replicas") });
        expect(await plain.read(key)).toBeNull();
      } finally {
        await move(slot, safe, lonely).catch(() => undefined);
      }
    });

    test("a session whose slot is on its way is found where it is", async () => {
      const { store, plain, owned } = await open();
      const [key, slot] = (await owned(lonely)) ?? ["", 0];
      await plain.write(key, birth);
      const moving = await begin(slot, lonely, safe);
      await moving.carry(1);
      // Neither of the two servers has all of it: it is waited for.
      const writing = store.write(key, setting("1"));
      await pause(100);
      await moving.carry(1000);
      expect(await writing).toEqual({ ok: true, rev: 2 });
      expect(await store.write(key, setting("2"))).toEqual({ ok: true, rev: 3 });
      await moving.finish();
      expect((await plain.read(key))?.rev).toBe(3);
      await move(slot, safe, lonely);
    });
  });

  test("a client of redis that does not show its connections is refused when it should wait", async () => {
    const client = (await cluster.nodeRedis()) as RedisClient & { getNodeClientForKey?: unknown };
    Object.defineProperty(client, "getNodeClientForKey", { value: undefined });
    expect(redisStore(client)).toBeDefined();
    expect(() => redisStore(client, { wait: { replicas: 1 } })).toThrow(
      expect.objectContaining({ code: "INVALID_OPTION", message: expect.stringContaining("update it") }),
    );
  });
});
