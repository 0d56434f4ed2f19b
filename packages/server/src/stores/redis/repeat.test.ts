import { afterAll, afterEach, describe, expect, test } from "vitest";
import { adapters, createApp, createBrowser } from "../../../test/app.ts";
import { push } from "../../../test/pushes.ts";
import { startProxy } from "../../../test/servers/proxy.ts";
import { startRedis } from "../../../test/servers/redis.ts";
import { type RedisClient, redisStore } from "./redis-store.ts";

const server = await startRedis();
afterAll(() => server?.stop());

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const clients: Record<string, (port: number) => RedisClient | Promise<RedisClient>> = {
  ioredis: (port) => server?.ioredis({ port }) ?? never(),
  "node-redis": (port) => server?.nodeRedis(3, port) ?? never(),
};

function never(): never {
  throw new Error("unreachable");
}

describe.skipIf(!server).each(Object.entries(clients))(
  "a push whose commit Redis did but did not answer, by %s",
  (name, connect) => {
    async function start() {
      const proxy = await startProxy(server?.port ?? never());
      cleanups.push(() => proxy.stop());
      const prefix = `repeat-${name}-${Math.random()}:`;
      const store = redisStore(await connect(proxy.port), { prefix, timeout: 1 });
      const write = store.write.bind(store);
      // By its first commit it learns the server's time.
      await write("zz", { now: 0, accessedAt: 0, transactions: 0, expect: new Map(), changes: new Map() });
      let losing = false;
      store.write = (key, commit) => {
        if (losing) proxy.muteServer();
        return write(key, commit);
      };
      const app = createApp({ store });
      const mounted = await (adapters.fetch ?? never())(app);
      cleanups.push(
        () => app.sessions.close(),
        () => mounted.close(),
      );
      return {
        api: createBrowser(mounted.url).api,
        there: redisStore(server?.ioredis() ?? never(), { prefix }),
        lose() {
          losing = true;
        },
        find() {
          losing = false;
          proxy.mend();
          proxy.cut();
        },
      };
    }
    const click = (base: number, from: string | null) => [{ seq: 1, key: "clicks", value: "1", base, from }];

    test("counts once when it is sent again", async () => {
      const { api, there, lose, find } = await start();
      await api.increment.mutate();
      const { identifier } = await api.facts.query();
      const clicked = push({ identifier, ops: click(0, null) });
      lose();
      await expect(api.session.sync.mutate(clicked)).rejects.toMatchObject({ data: { httpStatus: 503 } });
      const done = await there.read(identifier);
      expect(done?.entries.get("clicks")?.value).toBe("1");
      find();
      const answer = await api.session.sync.mutate(clicked);
      expect(answer).toMatchObject({ ok: true, acked: 1, entries: { clicks: { rev: 2 } } });
      expect(await api.session.values.query()).toMatchObject({ clicks: 1, visits: 1 });
      expect((await there.read(identifier))?.entries.get("clicks")).toEqual(done?.entries.get("clicks"));
    });

    test("counts once and makes one session when it is a browser's first", async () => {
      const { api, there, lose, find } = await start();
      const first = push({ nonce: "n".repeat(43), ops: click(0, null) });
      lose();
      await expect(api.session.sync.mutate(first)).rejects.toMatchObject({ data: { httpStatus: 503 } });
      expect((await there.find({ limit: 10 })).items).toHaveLength(1);
      find();
      expect(await api.session.sync.mutate(first)).toMatchObject({ ok: true, acked: 1 });
      expect(await api.session.values.query()).toEqual({ clicks: 1 });
      expect((await there.find({ limit: 10 })).items).toHaveLength(1);
    });
  },
);
