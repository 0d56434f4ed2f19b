import { execFileSync } from "node:child_process";
import { chmod, chown, cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { findPostgres, ordinaryUser, type User } from "./postgres-program.ts";
import { freePort, ServerProcess } from "./process.ts";

type Settings = Readonly<Record<string, string>>;

/** A PostgreSQL server of our own, on a free port, with its data in a temporary folder. */
export interface PostgresServer {
  readonly port: number;
  /** Pools end with the server. */
  pool(options?: pg.PoolConfig): pg.Pool;
  /** Kills it as a crash would and brings it up again. */
  crash(): Promise<void>;
  /** Kills it as a crash would. */
  kill(): Promise<void>;
  /** Another server that follows this one, which is halted for a moment while its files are copied. Stop it first. */
  standby(): Promise<PostgresServer>;
  /** Its host has vanished: it takes connections and bytes, and answers nothing until it is thawed. */
  freeze(): Promise<void>;
  /** Goes on with what it was sent meanwhile. */
  thaw(): void;
  start(): Promise<void>;
  /** Ends it in an orderly way and leaves its data. */
  halt(): Promise<void>;
  /** Ends everything and removes it. */
  stop(): Promise<void>;
}

/** Starts a server, or tells why not and answers `undefined`. */
export async function startPostgres(settings: Settings = {}): Promise<PostgresServer | undefined> {
  const user = ordinaryUser();
  const folder = await mkdtemp(join(tmpdir(), "catnap-postgres-"));
  if (user.uid !== undefined) await chown(folder, user.uid, user.gid ?? user.uid);
  const bin = await findPostgres(folder, user);
  if (bin === undefined) {
    await rm(folder, { recursive: true });
    return undefined;
  }
  const data = join(folder, "data");
  const args = ["-D", data, "-U", "catnap", "-A", "trust", "-E", "UTF8", "--no-locale", "-N"];
  execFileSync(join(bin, "initdb"), args, { ...user, cwd: folder, stdio: "ignore" });
  return serve({ bin, user, folder, data, settings });
}

interface Place {
  readonly bin: string;
  readonly user: User;
  readonly folder: string;
  readonly data: string;
  readonly settings: Settings;
}

async function serve(place: Place): Promise<PostgresServer> {
  const { bin, user, folder, data, settings } = place;
  const port = await freePort();
  const options = { fsync: "off", max_connections: "200", ...settings };
  const server = new ServerProcess(
    join(bin, "postgres"),
    [
      ...["-D", data, "-p", String(port), "-h", "127.0.0.1", "-k", folder],
      ...Object.entries(options).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
    ],
    user,
  );
  const pools: pg.Pool[] = [];
  const address = { host: "127.0.0.1", port, user: "catnap", database: "postgres" };
  const start = () =>
    server.start(async () => {
      const client = new pg.Client({ ...address, connectionTimeoutMillis: 2000 });
      client.on("error", () => undefined);
      await client.connect();
      await client.end();
    });
  await start();
  const frozen: number[] = [];
  const thaw = () => {
    for (const id of frozen.splice(0)) signal(id, "SIGCONT");
  };
  process.once("exit", thaw);
  return {
    port,
    async freeze() {
      // The parent first, so that it begets no more.
      const parent = Number((await readFile(join(data, "postmaster.pid"), "utf8")).split("\n")[0]);
      signal(parent, "SIGSTOP");
      frozen.push(parent, ...childrenOf(parent));
      for (const id of frozen) signal(id, "SIGSTOP");
    },
    thaw,
    pool(config) {
      const pool = new pg.Pool({ ...address, ...config });
      pools.push(pool);
      return pool;
    },
    start,
    halt: () => server.stop("SIGINT"),
    kill: () => server.stop("SIGQUIT"),
    async crash() {
      // Immediate shutdown: no checkpoint, no word to clients, recovery from the log at the next start.
      await server.stop("SIGQUIT");
      await start();
    },
    async standby() {
      const other = await mkdtemp(join(tmpdir(), "catnap-postgres-"));
      const copy = join(other, "data");
      // While it stands still, a copy of its files is a backup, and the programs that npm brings have no other way.
      await server.stop("SIGINT");
      await cp(data, copy, { recursive: true });
      await start();
      await writeFile(join(copy, "standby.signal"), "");
      await chmod(copy, 0o700);
      if (user.uid !== undefined) execFileSync("chown", ["-R", `${user.uid}:${user.gid}`, other]);
      const primary_conninfo = `host=127.0.0.1 port=${port} user=catnap application_name=standby`;
      return serve({ ...place, folder: other, data: copy, settings: { ...settings, primary_conninfo } });
    },
    async stop() {
      // Not the pools first: one with a connection that a failed test has kept would never end.
      for (const pool of pools) pool.on("error", () => undefined);
      thaw();
      await server.stop("SIGINT");
      for (const pool of pools) if (!pool.ended) void pool.end();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function childrenOf(parent: number): number[] {
  const table = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" });
  const pairs = table.split("\n").map((line) => line.trim().split(/\s+/).map(Number));
  return pairs.flatMap(([id = 0, of]) => (of === parent ? [id] : []));
}

/** Some may have ended of themselves. */
function signal(id: number, name: NodeJS.Signals): void {
  try {
    process.kill(id, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
