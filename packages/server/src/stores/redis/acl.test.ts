import { readFileSync } from "node:fs";
import { join } from "node:path";
import { storeLaws } from "@catnap/testing";
import { Cluster, Redis } from "ioredis";
import { createClient, createCluster } from "redis";
import { afterAll, describe, expect, test } from "vitest";
import { type RedisServer, startRedis, startRedisCluster } from "../../../test/servers/redis.ts";
import type { Commit } from "../store.ts";
import { RedisKeys, shardOf } from "./keys.ts";
import { type RedisClient, redisStore } from "./redis-store.ts";

const redis = await startRedis();
const valkey = await startRedis("valkey-server");
const cluster = await startRedisCluster();
afterAll(() => Promise.all([redis?.stop(), valkey?.stop(), cluster?.stop()]));

const page = readFileSync(join(import.meta.dirname, "../../../../../docs/stores.md"), "utf8");
const commandsIn = (text: string | undefined) =>
  (text?.replaceAll("\\|", "|").match(/\+[a-z|]+/g) ?? []).map((rule) => rule.slice(1));
const [, rules = ""] = /```text\nACL SETUSER shop on >password ([^`]*)```/.exec(page) ?? [];
const rowOf = (name: string) => commandsIn(page.split("\n").findLast((line) => line.startsWith(`| ${name} |`)));
/** What the documentation has a user of one server, and of a cluster, need. */
const needs = {
  names: rules.split(/\s+/).filter((rule) => /^[~&]/.test(rule)),
  one: commandsIn(rules),
  cluster: [
    ...commandsIn(rules).filter((name) => !name.endsWith("subscribe") && name !== "publish"),
    ...rowOf("a cluster"),
  ],
  wait: rowOf("`wait`"),
  newer: rowOf("a server from 7.2 on"),
};

const commit: Commit = { now: 0, accessedAt: 0, transactions: 1, expect: new Map(), changes: new Map() };
const birth: Commit = { ...commit, create: { createdAt: 0, endsAt: 1e6 }, timeoutMs: 1e6, subject: "Ann" };

/** Makes the user `name`, who may do this and no more. */
const allow = (server: RedisServer, commands: readonly string[], name = "shop", names = needs.names) =>
  server
    .ioredis()
    .acl("SETUSER", name, "reset", "on", ">password", ...names, ...commands.map((command) => `+${command}`));

/** The commands that servers have run since this was last asked, those within scripts too. */
async function ran(...servers: RedisServer[]): Promise<Set<string>> {
  const names = new Set<string>();
  for (const server of servers) {
    const control = server.ioredis();
    const stats = await control.info("commandstats");
    for (const [, name = ""] of stats.matchAll(/^cmdstat_(\S+?):calls=[1-9]/gm)) names.add(name);
    await control.config("RESETSTAT");
  }
  return names;
}

let laws = 0;
/** Holds a store over these clients to every law, and their answer to each. */
async function keepLaws(connect: () => RedisClient | Promise<RedisClient>): Promise<void> {
  const [one, two] = [await connect(), await connect()];
  for (const law of storeLaws) {
    const outcome = await law.check(async () => {
      const prefix = `catnap:law${++laws}:`;
      const store = redisStore(one, { prefix });
      return { store, reopen: async () => redisStore(two, { prefix }), cleanup: () => store.close() };
    });
    expect(outcome).toEqual({ kind: "kept" });
  }
}

const user = { username: "shop", password: "password" };
const clients: { destroy(): unknown }[] = [];
afterAll(() => {
  for (const client of clients) client.destroy();
});
const ioredis = (port: number, username = "shop") => {
  const client = new Redis({ port, username, password: "password", protocol: 3 });
  clients.push({ destroy: () => client.disconnect() });
  return client;
};
const nodeRedis = async (port: number, RESP: 2 | 3): Promise<RedisClient> => {
  const client = createClient({ ...user, RESP, socket: { port } });
  clients.push(client);
  client.on("error", () => undefined);
  await client.connect();
  return client;
};

test("the documentation says which commands a user needs", () => {
  expect(needs.names).toEqual(["~catnap:*", "&catnap:*"]);
  for (const list of [needs.one, needs.cluster, needs.wait, needs.newer]) expect(list.length).toBeGreaterThan(0);
});

for (const [program, server] of [
  ["Redis", redis],
  ["Valkey", valkey],
] as const) {
  test.skipIf(!server)(
    `a user who may do what the documentation says keeps every law of ${program}, and needs all of it`,
    async () => {
      if (!server) return;
      const [newer] = (await server.ioredis().call("command", "info", ...needs.newer)) as unknown[];
      const commands = newer ? [...needs.one, ...needs.newer] : needs.one;
      await allow(server, commands);
      await ran(server);
      await keepLaws(() => ioredis(server.port));
      await keepLaws(() => nodeRedis(server.port, 3));
      await keepLaws(() => nodeRedis(server.port, 2));
      const all = await ran(server);
      expect(commands.filter((name) => !all.has(name))).toEqual([]);
      expect(await server.ioredis().acl("LOG")).toEqual([]);
    },
  );
}

test.skipIf(!cluster)("so does one of a cluster, whose slots may be on their way", async () => {
  if (!cluster) return;
  const { nodes } = cluster;
  for (const node of nodes) await allow(node, needs.cluster);
  await ran(...nodes);
  const addresses = nodes.map(({ port }) => ({ host: "127.0.0.1", port }));
  const ways = [
    async () => {
      const client = new Cluster(addresses, { redisOptions: user });
      clients.push({ destroy: () => client.disconnect() });
      return client;
    },
    async (): Promise<RedisClient> => {
      const client = createCluster({ rootNodes: addresses.map((socket) => ({ socket })), defaults: user });
      clients.push(client);
      client.on("error", () => undefined);
      await client.connect();
      return client;
    },
  ];
  for (const connect of ways) await keepLaws(connect);
  const [first, second] = nodes.map((node) => node.ioredis());
  const slot = Number(await first?.call("cluster", "keyslot", new RedisKeys("catnap:").session("-a")));
  await second?.call("cluster", "setslot", slot, "importing", String(await first?.call("cluster", "myid")));
  await first?.call("cluster", "setslot", slot, "migrating", String(await second?.call("cluster", "myid")));
  for (const connect of ways) expect(await redisStore(await connect()).read("-a")).toBeNull();
  for (const node of [first, second]) await node?.call("cluster", "setslot", slot, "stable");
  const all = await ran(...nodes);
  expect(needs.cluster.filter((name) => !all.has(name) && name !== "auth")).toEqual([]);
});

const there = (prefix: string) => redisStore(redis?.ioredis() ?? never(), { prefix });

function never(): never {
  throw new Error("unreachable");
}

describe.skipIf(!redis)("a user who may do less", () => {
  if (!redis) return;
  const control = redis.ioredis();
  const refused = expect.objectContaining({
    code: "STORE_UNUSABLE",
    message: expect.stringContaining("allow it the commands, keys and channels"),
  });

  test("waits for replicas only with the right to", async () => {
    const wait = { replicas: 1, timeout: 0.05 };
    await allow(redis, needs.one, "hasty");
    await expect(redisStore(ioredis(redis.port, "hasty"), { wait }).write("a", birth)).rejects.toEqual(refused);
    await allow(redis, [...needs.one, ...needs.wait], "patient");
    await expect(redisStore(ioredis(redis.port, "patient"), { wait }).write("b", birth)).rejects.toMatchObject({
      message: expect.stringContaining("0 of 1 replicas"),
    });
  });

  test.each([
    ["the channels", needs.one, ["~catnap:*", "&elsewhere:*"]],
    ["PUBLISH", needs.one.filter((name) => name !== "publish"), needs.names],
    ["ZADD", needs.one.filter((name) => name !== "zadd"), needs.names],
    ["HSET", needs.one.filter((name) => name !== "hset"), needs.names],
    ["PEXPIRE", needs.one.filter((name) => name !== "pexpire"), needs.names],
  ])("writes no half of a session, and makes none, without %s", async (what, commands, names) => {
    const prefix = `catnap:${what}:`;
    await allow(redis, commands, "poor", names);
    await there(prefix).write("a", birth);
    const before = await control.hgetall(new RedisKeys(prefix).session("a"));
    const store = redisStore(ioredis(redis.port, "poor"), { prefix });
    const change = {
      ...commit,
      subject: "Bob",
      timeoutMs: 5,
      changes: new Map([["a", { value: "1", writer: "server", seq: 0 }]]),
    };
    const half = await store.write("a", change).catch((error: unknown) => error);
    expect(half).toEqual(refused);
    const now = await control.hgetall(new RedisKeys(prefix).session("a"));
    // A session that is there already is written as a whole, or stays as it was.
    if (now["=a"] === undefined) expect(now).toEqual(before);
    else expect(await there(prefix).read("a")).toMatchObject({ rev: 2, subject: "Bob", timeoutMs: 5 });
    const { subject: _, ...nobodys } = birth;
    for (const [key, create] of [["b", birth] as const, ["c", nobodys] as const]) {
      await expect(store.write(key, create)).rejects.toEqual(refused);
      expect(await there(prefix).read(key)).toBeNull();
    }
    await there(prefix).write("d", birth);
    const ended = await store.delete("d").catch((error: unknown) => error);
    expect([refused, true]).toContainEqual(ended);
    expect((await there(prefix).read("d")) === null).toBe(ended === true);
  });
});

describe.skipIf(!redis)("a commit", () => {
  if (!redis) return;
  const control = redis.ioredis();

  test.each(["cells", "cell", "subject"] as const)(
    "is refused as a whole where something else lies at an index: %s",
    async (index) => {
      const prefix = `catnap:foreign-${index}:`;
      const keys = new RedisKeys(prefix);
      const [session, cells, cell] = keys.of("a");
      const gone = { value: "1", writer: "server", seq: 0 };
      await there(prefix).write("a", { ...birth, subject: "Cid", changes: new Map([["gone", gone]]) });
      const before = await control.hgetall(session);
      const name = { cells, cell, subject: keys.subject(shardOf("a"), "Bob") }[index];
      await control.del(name);
      await control.set(name, "mine");
      const change = {
        ...commit,
        subject: "Bob",
        timeoutMs: 5,
        changes: new Map([
          ["a", { value: "1", writer: "server", seq: 0 }],
          ["gone", { value: undefined, writer: "server", seq: 0 }],
        ]),
      };
      const heard: number[] = [];
      there(prefix).watch?.("a", (rev) => heard.push(rev));
      await expect.poll(() => heard).toEqual([1]);
      await expect(there(prefix).write("a", change)).rejects.toMatchObject({ code: "STORE_UNUSABLE" });
      expect(await control.hgetall(session)).toEqual(before);
      expect(await control.get(name)).toBe("mine");
      // Nor is anybody told of a revision that is none: the true one would pass for old.
      await control.publish(session, "7");
      await expect.poll(() => heard.at(-1)).toBe(7);
      expect(heard).toEqual([1, 7]);
    },
  );
});
