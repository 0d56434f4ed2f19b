import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { createSentinel } from "redis";
import { afterAll, describe, expect, test, vi } from "vitest";
import { findProgram, freePort, missing, ServerProcess } from "../../../test/servers/process.ts";
import { startRedis } from "../../../test/servers/redis.ts";
import type { Commit } from "../store.ts";
import { type RedisClient, redisStore } from "./redis-store.ts";

vi.setConfig({ testTimeout: 60_000 });

const commit: Commit = { now: 0, accessedAt: 0, transactions: 1, expect: new Map(), changes: new Map() };
const birth: Commit = { ...commit, create: { createdAt: 0, endsAt: 1e6 }, timeoutMs: 1e6 };
const setting = (value: string): Commit => ({
  ...commit,
  changes: new Map([["a", { value, writer: "server", seq: 0 }]]),
});

const cleanups: (() => unknown)[] = [];
afterAll(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

/** A master with a replica, and a Sentinel that promotes it. */
async function start() {
  const program = findProgram("redis-server");
  const master = await startRedis();
  if (!program || !master) return undefined;
  cleanups.push(() => master.stop());
  const replica = await startRedis("redis-server", { replicaof: `127.0.0.1 ${master.port}` });
  if (!replica) return undefined;
  cleanups.push(() => replica.stop());
  const folder = await mkdtemp(join(tmpdir(), "catnap-sentinel-"));
  const port = await freePort();
  const file = join(folder, "sentinel.conf");
  const lines = [
    ...[`port ${port}`, "bind 127.0.0.1", `dir ${folder}`, `sentinel monitor shop 127.0.0.1 ${master.port} 1`],
    ...["sentinel down-after-milliseconds shop 500", "sentinel failover-timeout shop 3000"],
  ];
  await writeFile(file, lines.join("\n"));
  const sentinel = new ServerProcess(program, [file, "--sentinel"]);
  const control = new Redis(port, "127.0.0.1", { lazyConnect: true });
  control.on("error", () => undefined);
  cleanups.push(
    () => rm(folder, { recursive: true }),
    () => sentinel.stop("SIGKILL"),
    () => control.disconnect(),
  );
  await sentinel.start(() => control.ping());
  await expect.poll(() => control.call("sentinel", "replicas", "shop"), { timeout: 20_000 }).toHaveLength(1);
  return { master, replica, port };
}

const libraries: Record<string, (port: number) => Promise<RedisClient>> = {
  async ioredis(port) {
    const client = new Redis({
      sentinels: [{ host: "127.0.0.1", port }],
      name: "shop",
      sentinelRetryStrategy: () => 50,
    });
    client.on("error", () => undefined);
    cleanups.push(() => client.disconnect());
    return client;
  },
  async "node-redis"(port) {
    const client = createSentinel({
      name: "shop",
      sentinelRootNodes: [{ host: "127.0.0.1", port }],
      scanInterval: 200,
    });
    client.on("error", () => undefined);
    await client.connect();
    cleanups.push(() => client.isOpen && client.destroy());
    return client;
  },
};

const installed = findProgram("redis-server") !== undefined || missing("redis-server", "apt-get install redis-server");

describe.skipIf(!installed).each(Object.entries(libraries))("redisStore behind Sentinel, by %s", (_, connect) => {
  test("goes on with the replica when the master is killed, and what waited for the replica is there", async () => {
    const servers = await start();
    if (!servers) throw new Error("unreachable");
    const store = redisStore(await connect(servers.port), { timeout: 4, wait: { replicas: 1, timeout: 1 } });
    await expect.poll(async () => (await store.write("a", birth)).ok, { timeout: 10_000 }).toBe(true);
    let told = 1;
    for (let i = 2; i < 30; i++) {
      const result = await store.write("a", setting(String(i)));
      if (result.ok) told = result.rev;
    }
    const heard: number[] = [];
    const stop = store.watch?.("a", (rev) => heard.push(rev));
    await servers.master.halt("SIGKILL");
    await expect(store.write("a", setting("late"))).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    await expect
      .poll(async () => (await store.read("a").catch(() => null))?.rev, { timeout: 20_000 })
      .toBeGreaterThanOrEqual(told);
    // The promoted one has no replica of its own yet, so that whoever waits for one is told.
    await expect(store.write("a", setting("alone"))).rejects.toMatchObject({
      message: expect.stringContaining("0 of 1 replicas"),
    });
    expect((await store.read("a"))?.entries.get("a")?.value).toBe("alone");
    // What was committed while the subscription was on its way to the new master, and what comes now.
    const rev = (await store.read("a"))?.rev ?? 0;
    await expect.poll(() => heard.at(-1), { timeout: 10_000 }).toBe(rev);
    await expect(store.write("a", setting("again"))).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    await expect.poll(() => heard.at(-1), { timeout: 1000 }).toBe(rev + 1);
    stop?.();
    await store.close();
  });
});
