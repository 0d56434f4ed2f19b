import { execFileSync } from "node:child_process";
import { chmod, chown, cp, mkdtemp, rm, writeFile } from "node:fs/promises";
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
  return {
    port,
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
      await server.stop("SIGINT");
      for (const pool of pools) if (!pool.ended) void pool.end();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
