import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import pg from "pg";
import { createClient } from "redis";

/** A database server of our own, with its data in a temporary folder. */
export interface Database {
  readonly port: number;
  /** Microseconds of CPU that its processes have used so far. */
  cpu(): number;
  stop(): Promise<void>;
}

/** Starts Redis, or Valkey, without persistence, or answers `undefined` where there is none. */
export async function startRedis(program = "redis-server"): Promise<Database | undefined> {
  if (!existsSync(`/usr/bin/${program}`)) return undefined;
  const folder = mkdtempSync(join(tmpdir(), "catnap-bench-"));
  const port = await freePort();
  const child = spawn(program, ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder], {
    stdio: "ignore",
  });
  await answering(async () => {
    const client = createClient({ socket: { host: "127.0.0.1", port, reconnectStrategy: false } });
    client.on("error", () => undefined);
    await client.connect();
    client.destroy();
  });
  return running(child, port, folder, () => usedBy(child.pid));
}

// A database may end while connections to it are idle: unheard, that would end the process with a long word about it.

/** A connected client of Redis. */
export async function redisAt(port: number) {
  const client = createClient({ socket: { host: "127.0.0.1", port } });
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

export type Redis = Awaited<ReturnType<typeof redisAt>>;

/** A pool of PostgreSQL's. Its connections stay: with one that ends goes the CPU that its process has used. */
export function poolAt(port: number): pg.Pool {
  const pool = new pg.Pool({ host: "127.0.0.1", port, user: "bench", database: "postgres", idleTimeoutMillis: 0 });
  return pool.on("error", () => undefined);
}

/** Starts PostgreSQL without flushing to the disk, or answers `undefined` where there is none. */
export async function startPostgres(): Promise<Database | undefined> {
  const home = "/usr/lib/postgresql";
  const [version] = existsSync(home) ? readdirSync(home).sort((a, b) => Number(b) - Number(a)) : [];
  if (version === undefined) return undefined;
  const bin = join(home, version, "bin");
  const folder = mkdtempSync(join(tmpdir(), "catnap-bench-"));
  const id = (flag: string) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }));
  // It refuses to run as root.
  const user = process.getuid?.() === 0 ? { uid: id("-u"), gid: id("-g") } : {};
  if ("uid" in user) chownSync(folder, id("-u"), id("-g"));
  const data = join(folder, "data");
  execFileSync(join(bin, "initdb"), ["-D", data, "-U", "bench", "-A", "trust", "-N"], {
    ...user,
    cwd: folder,
    stdio: "ignore",
  });
  const port = await freePort();
  const args = [
    "-D",
    data,
    "-p",
    String(port),
    "-h",
    "127.0.0.1",
    "-k",
    folder,
    "-c",
    "fsync=off",
    "-c",
    "autovacuum=off",
  ];
  const child = spawn(join(bin, "postgres"), args, { ...user, stdio: "ignore" });
  await answering(async () => {
    const client = new pg.Client({ host: "127.0.0.1", port, user: "bench", database: "postgres" });
    client.on("error", () => undefined);
    await client.connect();
    await client.end();
  });
  return running(child, port, folder, () => childrenOf(child.pid).reduce((sum, pid) => sum + usedBy(pid), 0));
}

function running(child: ChildProcess, port: number, folder: string, cpu: () => number): Database {
  process.once("exit", () => child.kill("SIGKILL"));
  return {
    port,
    cpu,
    async stop() {
      child.kill("SIGINT");
      await once(child, "exit");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Of the process's first thread, which is the one that works in either database. */
function usedBy(pid: number | undefined): number {
  return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[0]) / 1000;
}

function childrenOf(pid: number | undefined): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number);
}

async function answering(ask: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await ask();
      return;
    } catch (error) {
      if (attempt > 200) throw error;
      await setTimeout(50);
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}
