import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Cluster, Redis, type RedisOptions } from "ioredis";
import { createClient, createCluster } from "redis";
import type { NodeRedisClient } from "../../src/stores/redis/redis-store.ts";
import { findProgram, freePort, missing, ServerProcess } from "./process.ts";

/** A Redis or Valkey server of our own, on a free port, with its data in a temporary folder. */
export interface RedisServer {
  readonly port: number;
  /** A client of ioredis. Clients end with the server. */
  ioredis(options?: Pick<RedisOptions, "autoResendUnfulfilledCommands" | "port">): Redis;
  /** A connected client of `redis`. */
  nodeRedis(protocol?: 2 | 3, port?: number): Promise<NodeRedisClient>;
  start(): Promise<void>;
  /** Ends it, as a crash would when told to. */
  halt(signal?: NodeJS.Signals): Promise<void>;
  /** Stands still, as in a stalled host: connections stay, and what they bring waits, until it thaws. */
  freeze(): Promise<void>;
  thaw(): void;
  /** Ends everything and removes it. */
  stop(): Promise<void>;
}

export type RedisProgram = "redis-server" | "valkey-server";

const remedies = {
  "redis-server": "apt-get install redis-server",
  "valkey-server": "apt-get install valkey-server",
};

/** Starts a server, or tells why not and answers `undefined`. */
export async function startRedis(
  program: RedisProgram = "redis-server",
  settings: Readonly<Record<string, string>> = {},
): Promise<RedisServer | undefined> {
  const path = findProgram(program);
  if (path === undefined) return missing(program, remedies[program]);
  const folder = await mkdtemp(join(tmpdir(), "catnap-redis-"));
  const port = await freePort();
  const options = { bind: "127.0.0.1", dir: folder, appendonly: "yes", appendfsync: "always", save: "" };
  const args = Object.entries({ ...options, "repl-diskless-sync-delay": "0", ...settings }).flatMap(([name, value]) => [
    `--${name}`,
    value,
  ]);
  const server = new ServerProcess(path, ["--port", String(port), ...args]);
  const clients: { destroy(): unknown }[] = [];
  let frozen: number | undefined;
  const start = () =>
    server.start(async () => {
      const client = new Redis(port, "127.0.0.1", { lazyConnect: true, retryStrategy: () => null });
      client.on("error", () => undefined);
      try {
        await client.connect();
        await client.ping();
      } finally {
        client.disconnect();
      }
    });
  await start();
  return {
    port,
    ioredis(config = {}) {
      const client = new Redis({ host: "127.0.0.1", port, retryStrategy: () => 20, ...config });
      client.on("error", () => undefined);
      clients.push({ destroy: () => client.disconnect() });
      return client;
    },
    async nodeRedis(protocol = 3, at = port) {
      const socket = { host: "127.0.0.1", port: at, reconnectStrategy: 20 };
      const client = createClient({ socket, RESP: protocol });
      clients.push({ destroy: () => client.isOpen && client.destroy() });
      // Whoever may lose the connection must listen, or the event ends the process; the store does too.
      client.on("error", () => undefined);
      await client.connect();
      return client;
    },
    start,
    halt: (signal = "SIGTERM") => server.stop(signal),
    async freeze() {
      const client = new Redis(port, "127.0.0.1");
      const [, pid] = /process_id:(\d+)/.exec(await client.info("server")) ?? [];
      client.disconnect();
      frozen = Number(pid);
      process.kill(frozen, "SIGSTOP");
    },
    thaw() {
      if (frozen) process.kill(frozen, "SIGCONT");
      frozen = undefined;
    },
    async stop() {
      for (const client of clients) client.destroy();
      await server.stop("SIGKILL");
      // Its fork, which writes the log anew, ends a moment after it.
      await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    },
  };
}

/** A cluster of three masters. */
export interface RedisCluster {
  ioredis(): Cluster;
  nodeRedis(): Promise<NodeRedisClient>;
  readonly nodes: readonly RedisServer[];
  /** Another server, which has what this master has. */
  addReplica(master: RedisServer): Promise<RedisServer>;
  stop(): Promise<void>;
}

/** Starts a cluster, or tells why not and answers `undefined`. */
export async function startRedisCluster(program: RedisProgram = "redis-server"): Promise<RedisCluster | undefined> {
  const nodes: RedisServer[] = [];
  const replicas: RedisServer[] = [];
  const startNode = async () => {
    const bus = String(await freePort());
    return startRedis(program, { "cluster-enabled": "yes", "cluster-node-timeout": "2000", "cluster-port": bus });
  };
  const busOf = async (node: RedisServer) => /@(\d+)[^\n]*myself/.exec(await describe(node))?.[1] ?? "";
  const describe = async (node: RedisServer) => String(await node.ioredis().call("cluster", "nodes"));
  for (let i = 0; i < 3; i++) {
    const node = await startNode();
    if (!node) return undefined;
    nodes.push(node);
    const control = node.ioredis();
    const first = Math.ceil((16384 * i) / 3);
    await control.call("cluster", "addslotsrange", first, Math.ceil((16384 * (i + 1)) / 3) - 1);
    await control.call("cluster", "set-config-epoch", i + 1);
    const [seed] = nodes;
    if (seed && i > 0) await control.call("cluster", "meet", "127.0.0.1", seed.port, await busOf(seed));
  }
  for (const deadline = performance.now() + 20_000; ; await pause(50)) {
    const states = await Promise.all(nodes.map((node) => node.ioredis().call("cluster", "info")));
    if (states.every((state) => /cluster_state:ok/.test(String(state)) && /known_nodes:3/.test(String(state)))) break;
    if (performance.now() > deadline) throw new Error(`The cluster does not form: ${states[0]}`);
  }
  const clients: { destroy(): unknown }[] = [];
  const addresses = nodes.map(({ port }) => ({ host: "127.0.0.1", port }));
  return {
    nodes,
    ioredis() {
      const client = new Cluster(addresses);
      client.on("error", () => undefined);
      clients.push({ destroy: () => client.disconnect() });
      return client;
    },
    async nodeRedis() {
      const client = createCluster({ rootNodes: addresses.map((socket) => ({ socket })) });
      client.on("error", () => undefined);
      clients.push({ destroy: () => client.isOpen && client.destroy() });
      await client.connect();
      return client;
    },
    async addReplica(master) {
      const node = await startNode();
      if (!node) throw new Error("unreachable");
      replicas.push(node);
      const control = node.ioredis();
      const id = await master.ioredis().call("cluster", "myid");
      await control.call("cluster", "meet", "127.0.0.1", master.port, await busOf(master));
      for (const deadline = performance.now() + 20_000; ; await pause(50)) {
        const outcome = await control.call("cluster", "replicate", String(id)).catch((error: unknown) => error);
        const info = await master.ioredis().info("replication");
        if (outcome === "OK" && info.includes("state=online")) return node;
        if (performance.now() > deadline) throw new Error(`The replica does not join: ${outcome}`);
      }
    },
    async stop() {
      for (const client of clients) client.destroy();
      await Promise.all([...nodes, ...replicas].map((node) => node.stop()));
    },
  };
}
