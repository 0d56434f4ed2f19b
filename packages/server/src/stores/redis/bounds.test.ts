import { afterAll, describe, expect, test, vi } from "vitest";
import { startRedis } from "../../../test/servers/redis.ts";
import type { Commit } from "../store.ts";
import { cellOf, RedisKeys, shardOf } from "./keys.ts";
import { redisStore } from "./redis-store.ts";

const server = await startRedis();
afterAll(() => server?.stop());

const commit: Commit = { now: 0, accessedAt: 0, transactions: 1, expect: new Map(), changes: new Map() };
const birth: Commit = { ...commit, create: { createdAt: 0, endsAt: 1e6 }, timeoutMs: 1000 };
const letters = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
/** Identifiers all over the shards. */
const identifiers = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => `${letters[(from + i) % 64]}${letters[(from + i) >> 6]}${from + i}`);

describe.skipIf(!server)("redisStore asks no more of its server at once than it needs:", () => {
  if (!server) return;
  const control = server.ioredis();
  let prefixes = 0;

  /** A store, and what its client has under way: how many commands at the most, and the sizes of lists that came back. */
  function watched() {
    const client = server?.ioredis() ?? control;
    const seen = { underWay: 0, most: 0, commands: 0, ids: 0 };
    const call = client.call.bind(client) as (...args: string[]) => Promise<unknown>;
    const counted = async (...args: string[]) => {
      seen.commands++;
      seen.most = Math.max(seen.most, ++seen.underWay);
      try {
        const reply = await call(...args);
        if (args[0]?.startsWith("eval") && Array.isArray(reply))
          seen.ids += reply.filter((id) => typeof id === "string" && /^..\d/.test(id)).length;
        return reply;
      } finally {
        seen.underWay--;
      }
    };
    // One of its overloads is all that the store calls.
    client.call = counted as typeof client.call;
    const prefix = `bounds${++prefixes}:`;
    return { store: redisStore(client, { prefix }), keys: new RedisKeys(prefix), seen };
  }

  async function fill(store: ReturnType<typeof redisStore>, ids: readonly string[]) {
    for (let i = 0; i < ids.length; i += 500) {
      await Promise.all(ids.slice(i, i + 500).map((id) => store.write(id, birth)));
    }
  }

  test("200 touches are under way, and all are done", async () => {
    const { store, seen } = watched();
    const ids = identifiers(950);
    await fill(store, ids);
    seen.most = 0;
    await store.touch(ids.map((key) => ({ key, accessedAt: 500, transactions: 1 })));
    expect(seen.most).toBe(200);
    const records = await Promise.all(ids.map((id) => store.read(id)));
    expect(records.filter((record) => record?.transactions === 2)).toHaveLength(950);
  });

  test("a key that is somebody else's holds up no other touch, and is told on the console", async () => {
    const { store, keys } = watched();
    const ids = identifiers(250);
    await fill(store, ids);
    await control.set(keys.session("zz"), "mine");
    const touches = ["zz", ...ids].map((key) => ({ key, accessedAt: 500, transactions: 1 }));
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    await store.touch(touches);
    expect(warn.mock.calls).toEqual([[expect.stringMatching(/^catnap: Session zz cannot be read: .*another prefix$/)]]);
    warn.mockRestore();
    await expect(store.read("zz")).rejects.toMatchObject({ code: "STORE_UNUSABLE" });
    expect((await store.read(ids.at(-1) ?? ""))?.transactions).toBe(2);
  });

  test("a sweep fetches about as many identifiers as it removes", async () => {
    const { store, seen } = watched();
    await fill(store, identifiers(3000));
    seen.ids = 0;
    seen.most = 0;
    expect(await store.sweep(5000, 100)).toBe(100);
    // Each comes twice: as one that is due, and as one that is there.
    expect(seen.ids).toBeLessThanOrEqual(2 * (100 + 64));
    expect(seen.most).toBeLessThanOrEqual(100);
    let left = 2900;
    while (left > 0) {
      const removed = await store.sweep(5000, 100);
      expect(removed).toBe(Math.min(100, left));
      left -= removed;
    }
    expect(await store.sweep(5000, 100)).toBe(0);
  });

  test("all of a backlog in one shard is found", async () => {
    const { store } = watched();
    await fill(
      store,
      Array.from({ length: 300 }, (_, i) => `aa${i}`),
    );
    expect(await store.sweep(5000, 250)).toBe(250);
    expect(await store.sweep(5000, 250)).toBe(50);
  });

  test("a sweep clears a hundred places of forgotten sessions for each that it may remove, in few commands", async () => {
    const { store, keys, seen } = watched();
    // As they lie when Redis has forgotten the sessions on its own.
    const places = control.pipeline();
    for (const id of identifiers(4000)) {
      places.zadd(keys.cell(shardOf(id), cellOf(id)), 1000, id);
      places.zadd(keys.cells(shardOf(id)), 1000, cellOf(id));
    }
    await places.exec();
    const left = async () => {
      const cells = await control.keys(`${keys.cells(0).split("{")[0]}*d:*`);
      const counts = await Promise.all(cells.map((cell) => control.zcard(cell)));
      return counts.reduce((sum, count) => sum + count, 0);
    };
    seen.commands = 0;
    expect(await store.sweep(5000, 10)).toBe(0);
    const after = await left();
    // The last step may go a little beyond.
    expect(after).toBeLessThanOrEqual(3000);
    expect(after).toBeGreaterThan(2850);
    expect(seen.commands).toBeLessThan(300);
    await fill(store, ["zz"]);
    for (let i = 0; i < 10 && (await store.read("zz")); i++) await store.sweep(5000, 10);
    expect(await store.read("zz")).toBeNull();
    while ((await left()) > 0) await store.sweep(5000, 200);
    // The nonces of the commits that made them go in a minute, on their own.
    const rest = await control.keys(`${keys.cells(0).split("{")[0]}*`);
    expect(rest).toEqual([keys.nonces(shardOf("zz"))]);
    const ttl = await control.pttl(rest[0] ?? "");
    expect(ttl).toBeGreaterThan(0);
    expect(ttl).toBeLessThanOrEqual(70_000);
  });
});
