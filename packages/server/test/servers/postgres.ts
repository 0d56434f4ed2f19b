import { execFileSync } from "node:child_process";
import { chown, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import pg from "pg";
import { findProgram, freePort, missing, ServerProcess, versionsIn } from "./process.ts";

/** A PostgreSQL server of our own, on a free port, with its data in a temporary folder. */
export interface PostgresServer {
  readonly port: number;
  /** Pools end with the server. */
  pool(options?: pg.PoolConfig): pg.Pool;
  /** Kills it as a crash would and brings it up again. */
  crash(): Promise<void>;
  start(): Promise<void>;
  /** Ends it in an orderly way and leaves its data. */
  halt(): Promise<void>;
  /** Ends everything and removes it. */
  stop(): Promise<void>;
}

/** Starts a server, or tells why not and answers `undefined`. */
export async function startPostgres(
  settings: Readonly<Record<string, string>> = {},
): Promise<PostgresServer | undefined> {
  const program = findProgram("initdb", [process.env.CATNAP_POSTGRES ?? "", ...versionsIn("/usr/lib/postgresql")]);
  if (program === undefined)
    return missing("PostgreSQL", "apt-get install postgresql, or name its folder in CATNAP_POSTGRES");
  const bin = dirname(program);
  const user = ordinaryUser();
  const folder = await mkdtemp(join(tmpdir(), "catnap-postgres-"));
  if (user.uid !== undefined) await chown(folder, user.uid, user.gid ?? user.uid);
  const data = join(folder, "data");
  execFileSync(program, ["-D", data, "-U", "catnap", "-A", "trust", "-E", "UTF8", "--no-locale", "-N"], {
    ...user,
    cwd: folder,
    stdio: "ignore",
  });
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
      const client = new pg.Client(address);
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
    async crash() {
      // Immediate shutdown: no checkpoint, no word to clients, recovery from the log at the next start.
      await server.stop("SIGQUIT");
      await start();
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

/** PostgreSQL refuses to run as root; the package has made a user for it. */
function ordinaryUser(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const id = (flag: string) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g") };
}
