import { chown, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import type { PostgresServer } from "./postgres.ts";
import { ordinaryUser } from "./postgres-program.ts";
import { findProgram, freePort, missing, ServerProcess } from "./process.ts";

/** A pgbouncer of our own before a PostgreSQL server, on a free port. */
export interface Pgbouncer {
  readonly port: number;
  /** Pools end with the pooler. */
  pool(options?: pg.PoolConfig): pg.Pool;
  /** Ends everything and removes it. */
  stop(): Promise<void>;
}

/** Starts a pooler that hands out connections by transaction, or tells why not and answers `undefined`. */
export async function startPgbouncer(
  server: PostgresServer,
  settings: Readonly<Record<string, string>> = {},
): Promise<Pgbouncer | undefined> {
  // Debian keeps it where the PATH of an ordinary user does not lead.
  const program = findProgram("pgbouncer", ["/usr/sbin"]);
  if (program === undefined) return missing("pgbouncer", "apt-get install pgbouncer");
  const user = ordinaryUser();
  const folder = await mkdtemp(join(tmpdir(), "catnap-pgbouncer-"));
  const port = await freePort();
  const [file, users] = [join(folder, "pgbouncer.ini"), join(folder, "users.txt")];
  const options = {
    listen_addr: "127.0.0.1",
    listen_port: String(port),
    unix_socket_dir: "",
    auth_type: "trust",
    auth_file: users,
    pool_mode: "transaction",
    max_client_conn: "1000",
    ...settings,
  };
  const lines = Object.entries(options).map(([name, value]) => `${name} = ${value}`);
  const databases = `[databases]\npostgres = host=127.0.0.1 port=${server.port}\n`;
  await writeFile(users, '"catnap" ""\n');
  await writeFile(file, `${databases}[pgbouncer]\n${lines.join("\n")}\n`);
  // It refuses to run as root, as PostgreSQL does, and its folder is root's.
  if (user.uid !== undefined) {
    for (const path of [folder, file, users]) await chown(path, user.uid, user.gid ?? user.uid);
  }
  const pooler = new ServerProcess(program, [file], user);
  const address = { host: "127.0.0.1", port, user: "catnap", database: "postgres" };
  await pooler.start(async () => {
    const client = new pg.Client({ ...address, connectionTimeoutMillis: 2000 });
    client.on("error", () => undefined);
    await client.connect();
    await client.end();
  });
  const pools: pg.Pool[] = [];
  return {
    port,
    pool(config) {
      const pool = new pg.Pool({ ...address, ...config });
      pools.push(pool);
      return pool;
    },
    async stop() {
      for (const pool of pools) pool.on("error", () => undefined);
      // At once, without waiting for its clients.
      await pooler.stop("SIGTERM");
      for (const pool of pools) if (!pool.ended) void pool.end();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
