import { afterAll, describe, expect, test, vi } from "vitest";
import { adapters, createApp, createBrowser } from "../../../test/app.ts";
import { push } from "../../../test/pushes.ts";
import { startProxy } from "../../../test/servers/proxy.ts";
import { type RedisServer, startRedis } from "../../../test/servers/redis.ts";
import type { Commit } from "../store.ts";
import { type RedisClient, redisStore } from "./redis-store.ts";

vi.setConfig({ testTimeout: 60_000 });

const commit: Commit = { now: 0, accessedAt: 0, transactions: 1, expect: new Map(), changes: new Map() };
const birth: Commit = { ...commit, create: { createdAt: 0, endsAt: 1e6 }, timeoutMs: 1e6 };
const setting = (value: string): Commit => ({
  ...commit,
  changes: new Map([["a", { value, writer: "server", seq: 0 }]]),
});
const tooFew = expect.objectContaining({
  code: "STORE_UNAVAILABLE",
  message: expect.stringContaining("0 of 1 replicas"),
});

/** They differ in what WAIT answers for a connection that has written nothing. */
for (const program of ["redis-server", "valkey-server"] as const) {
  const master = await startRedis(program);
  const replica = master && (await startRedis(program, { replicaof: `127.0.0.1 ${master.port}` }));
  afterAll(() => Promise.all([master?.stop(), replica?.stop()]));

  describe.skipIf(!replica)(`redisStore with wait on ${program}`, () => {
    if (!master || !replica) return;
    const wait = { replicas: 1, timeout: 2 };
    let prefixes = 0;
    const control = master.ioredis();
    const online = () => expect.poll(() => control.call("wait", "1", "100"), { timeout: 20_000 }).toBe(1);
    const stores = (client: RedisClient) => {
      const prefix = `wait${++prefixes}:`;
      return {
        prefix,
        store: redisStore(client, { prefix, wait, timeout: 5 }),
        there: redisStore(control, { prefix }),
      };
    };
    const clients: Record<string, (port: number) => RedisClient | Promise<RedisClient>> = {
      ioredis: (port) => master.ioredis({ port }),
      "node-redis": (port) => master.nodeRedis(3, port),
    };

    test.each(Object.entries(clients))(
      "by %s, the end of a session is told once a replica has it",
      async (_, connect) => {
        await online();
        const { store, prefix } = stores(await connect(master.port));
        const another = redisStore(await connect(master.port), { prefix, wait });
        await another.read("a");
        await store.write("a", birth);
        expect(await store.delete("a")).toBe(true);
        expect(await store.delete("a")).toBe(false);
        await store.write("a", birth);
        await replica.freeze();
        try {
          await expect(store.delete("a")).rejects.toEqual(tooFew);
          // Gone from the master already, but nobody has acknowledged that; nor does a connection which has written nothing.
          await expect(store.delete("a")).rejects.toEqual(tooFew);
          await expect(another.delete("a")).rejects.toEqual(tooFew);
        } finally {
          replica.thaw();
        }
        await online();
        expect(await store.delete("a")).toBe(false);
        expect(await store.read("a")).toBeNull();
      },
    );

    test("a sweep, whose work the next one would do again, waits for nobody", async () => {
      await online();
      const { store } = stores(master.ioredis());
      await store.write("a", birth);
      await store.write("b", birth);
      await replica.freeze();
      try {
        expect(await store.delete("a", 1e9)).toBe(true);
        expect(await store.sweep(1e9, 10)).toBe(1);
      } finally {
        replica.thaw();
      }
    });

    test("a commit that is known when it comes again is told only when a replica has it", async () => {
      await online();
      const proxy = await startProxy(master.port);
      try {
        const { store, there } = stores(master.ioredis({ port: proxy.port }));
        await store.write("a", birth);
        await replica.freeze();
        proxy.muteServer();
        const writing = store.write("a", setting("1")).catch((error: unknown) => error);
        await expect.poll(async () => (await there.read("a"))?.rev).toBe(2);
        proxy.mend();
        proxy.cut();
        expect(await writing).toEqual(tooFew);
        expect((await there.read("a"))?.transactions).toBe(2);
      } finally {
        replica.thaw();
        await proxy.stop();
      }
    });
  });
}

test("a push whose commit too few replicas had is acknowledged only when it comes again and a replica has it", async ({
  skip,
}) => {
  const master = await startRedis();
  const replica = master && (await startRedis("redis-server", { replicaof: `127.0.0.1 ${master.port}` }));
  if (!master || !replica) return skip("its server is not on this machine");
  const control = master.ioredis();
  const app = createApp({ store: redisStore(master.ioredis(), { wait: { replicas: 1, timeout: 2 } }) });
  const mounted = await (adapters.fetch ?? never())(app);
  try {
    await expect.poll(() => control.call("wait", "1", "100"), { timeout: 20_000 }).toBe(1);
    const { api } = createBrowser(mounted.url);
    await api.increment.mutate();
    const { identifier } = await api.facts.query();
    const clicked = push({ identifier, ops: [{ seq: 1, key: "clicks", value: "1", base: 0, from: null }] });
    await replica.freeze();
    for (const _ of ["the first time", "and once more"]) {
      await expect(api.session.sync.mutate(clicked)).rejects.toMatchObject({ data: { httpStatus: 503 } });
    }
    replica.thaw();
    await expect.poll(() => control.call("wait", "1", "100"), { timeout: 20_000 }).toBe(1);
    expect(await api.session.sync.mutate(clicked)).toMatchObject({ ok: true, acked: 1 });
    expect(await api.session.values.query()).toMatchObject({ clicks: 1 });
  } finally {
    replica.thaw();
    await app.sessions.close();
    await mounted.close();
    await Promise.all([master.stop(), replica.stop()]);
  }
});

test("without a replica, neither a commit nor the end of a session is told to be safe", async ({ skip }) => {
  const lonely: RedisServer | undefined = await startRedis();
  if (!lonely) return skip("its server is not on this machine");
  try {
    for (const client of [lonely.ioredis(), await lonely.nodeRedis()]) {
      await redisStore(client).write("a", birth);
      const store = redisStore(client, { wait: { replicas: 1, timeout: 0.05 } });
      await expect(store.write("a", setting("1"))).rejects.toEqual(tooFew);
      await expect(store.delete("a")).rejects.toEqual(tooFew);
    }
  } finally {
    await lonely.stop();
  }
});

function never(): never {
  throw new Error("unreachable");
}
