import { setTimeout as pause } from "node:timers/promises";
import { Redis } from "ioredis";
import { createClient } from "redis";
import { afterAll, expect, test } from "vitest";
import { startProxy } from "../../../test/servers/proxy.ts";
import { startRedis } from "../../../test/servers/redis.ts";
import type { Commit } from "../store.ts";
import { redisStore } from "./redis-store.ts";

const server = await startRedis();
afterAll(() => server?.stop());

const commit: Commit = { now: 0, accessedAt: 0, transactions: 1, expect: new Map(), changes: new Map() };
const birth: Commit = { ...commit, create: { createdAt: 0, endsAt: 1e6 }, timeoutMs: 1e6 };

const clients = {
  ioredis: async (port: number) => server?.ioredis({ port }),
  "node-redis": async (port: number) => server?.nodeRedis(3, port),
};

test.skipIf(!server).each(Object.entries(clients))(
  "by %s, an outage is over when the client is back, though nobody called: a short one after it is waited out",
  async (library, connect) => {
    const proxy = await startProxy(server?.port ?? 0);
    try {
      const client = await connect(proxy.port);
      if (!client) throw new Error("unreachable");
      const ready = () => ("status" in client ? client.status === "ready" : client.isReady);
      const store = redisStore(client, { prefix: `outage-${library}:` });
      await store.write("a", birth);
      proxy.cut(true);
      await expect.poll(ready).toBe(false);
      const rejects = expect(store.read("a")).rejects;
      await rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
      // It has been down for a second: nobody waits any more.
      const began = performance.now();
      await expect(store.read("a")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
      expect(performance.now() - began).toBeLessThan(500);
      proxy.mend();
      await expect.poll(ready, { timeout: 5000 }).toBe(true);
      // The store, which looks every hundredth of a second, has seen it.
      await pause(50);

      proxy.cut();
      await expect.poll(ready, { interval: 1 }).toBe(false);
      expect((await store.read("a"))?.rev).toBe(1);
    } finally {
      await proxy.stop();
    }
  },
);

test.skipIf(!server)(
  "the settings that the documentation names notice a server that says nothing any more",
  async () => {
    if (!server) return;
    const { port } = server;
    const ioredis = new Redis({ port, socketTimeout: 1000 }).on("error", () => undefined);
    const node = createClient({ socket: { port, socketTimeout: 1000, reconnectStrategy: 100 }, pingInterval: 300 }).on(
      "error",
      () => undefined,
    );
    try {
      await node.connect();
      const stores = [redisStore(ioredis, { timeout: 0.5 }), redisStore(node, { timeout: 0.5 })];
      for (const store of stores) await store.read("a");
      // Longer than either waits, without a call.
      await pause(1300);
      expect([ioredis.status, node.isReady]).toEqual(["ready", true]);
      await server.freeze();
      for (const store of stores) await expect(store.read("a")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
      await expect.poll(() => ioredis.status, { timeout: 5000 }).not.toBe("ready");
      await expect.poll(() => node.isReady, { timeout: 5000 }).toBe(false);
      server.thaw();
      for (const store of stores)
        await expect.poll(() => store.read("a").catch(() => "down"), { timeout: 10_000 }).toBeNull();
    } finally {
      server.thaw();
      ioredis.disconnect();
      node.destroy();
    }
  },
);
