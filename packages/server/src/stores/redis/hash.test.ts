import { counter, defineSession } from "@catnap/shared";
import { afterAll, expect, test } from "vitest";
import { startRedis } from "../../../test/servers/redis.ts";
import { createSessions } from "../../index.ts";
import { type RedisClient, redisStore } from "./redis-store.ts";

const redis = await startRedis();
afterAll(() => redis?.stop());

const clients: Record<string, () => RedisClient | Promise<RedisClient>> = {
  ioredis: () => redis?.ioredis() ?? never(),
  "node-redis": () => redis?.nodeRedis() ?? never(),
};

function never(): never {
  throw new Error("unreachable");
}

test.skipIf(!redis).each(Object.entries(clients))(
  "by %s, Redis keeps a session of small values packed until its token is rotated, however much it is used",
  async (_, connect) => {
    if (!redis) return;
    const control = redis.ioredis();
    let now = 1_700_000_000_000;
    const sessions = createSessions({
      definition: defineSession({ shared: { clicks: counter() } }),
      store: redisStore(await connect()),
      cookie: { name: "sid" },
      sweepInterval: 0,
      timeout: 2 * 86_400,
      lifetime: 30 * 86_400,
      renewal: 30 * 86_400,
      clock: () => now,
    });
    let cookie = "";
    for (let day = 0; day < 20; day++) {
      for (let click = 0; click < 10; click++) {
        const headers = { cookie, "sec-fetch-site": "same-origin" };
        const response = await sessions.run(
          new Request("https://shop.test/", { method: "POST", headers }),
          (session) => {
            session.update("clicks", (clicks) => clicks + 1);
            return new Response();
          },
        );
        cookie = response.headers.getSetCookie()[0]?.split(";")[0] ?? cookie;
        now += 1234;
      }
      now += 12 * 3_600_000;
    }
    const key = `catnap:*s:${cookie.slice("sid=".length).split(".")[0]}`;
    const [found = ""] = await control.keys(key);
    expect(await control.hget(found, "=clicks")).toMatch(/^200\+200$/);
    expect(await control.object("ENCODING", found)).toBe("listpack");
  },
);

test.skipIf(!redis)(
  "what a later version keeps in fields of its own stays, and changes nothing for this one",
  async () => {
    if (!redis) return;
    const client = redis.ioredis();
    const store = redisStore(client, { prefix: "later:" });
    const change = (value: string) => new Map([["k", { value, writer: "server", seq: 0 }]]);
    const commit = { now: 0, accessedAt: 0, transactions: 1, expect: new Map() };
    await store.write("a", { ...commit, create: { createdAt: 0, endsAt: 9e9 }, timeoutMs: 9e9, changes: change("1") });
    const [hash = ""] = await client.keys("later:*s:a");
    await client.hset(hash, { v: "2", note: "kept", "n:k": "kept" });
    const before = await store.read("a");
    expect([...(before?.entries.keys() ?? [])]).toEqual(["k"]);
    await store.write("a", { ...commit, subject: "alice", changes: change("2") });
    await store.touch([{ key: "a", accessedAt: 5, transactions: 1 }]);
    expect(await client.hmget(hash, "v", "note", "n:k")).toEqual(["2", "kept", "kept"]);
    const after = await redisStore(redis.ioredis(), { prefix: "later:" }).read("a");
    expect([after?.entries.get("k")?.value, after?.subject, after?.transactions]).toEqual(["2", "alice", 3]);
    expect(await store.delete("a")).toBe(true);
    expect(await client.exists(hash)).toBe(0);
  },
);
