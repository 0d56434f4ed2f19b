import { basename } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { bytes, invalid, known, oneOf, seconds, shown } from "../../option-checks.ts";
import { EntryCache } from "../entry-cache.ts";
import type { SessionStore } from "../store.ts";
import { assertSubjectText } from "../subject-text.ts";
import { type Change, CommitGroups } from "./commit-groups.ts";
import { SqliteConnection } from "./connection.ts";
import { all, type SqliteDatabase } from "./driver.ts";
import { type DurableObjectSql, isDurableObjectSql, ofDurableObject } from "./durable-object.ts";
import { migrate } from "./schema.ts";
import { makeShrinkable, shrink } from "./space.ts";
import { type SessionTables, sessionTables } from "./tables.ts";
import { SqliteWatch } from "./watch.ts";

export type { SqliteDatabase, SqliteStatement } from "./driver.ts";
export type { DurableObjectSql } from "./durable-object.ts";

/** Options of `sqliteStore`. */
export interface SqliteStoreOptions {
  /**
   * What an acknowledged commit survives. `"process"`, the default: the death of the process, not a power cut, which
   * may take the last commits (never half of one). `"power"`: both, for a flush of the disk with every transaction; commits
   * of one moment share one.
   */
  durability?: "process" | "power";
  /** How long to wait for another connection's lock before `STORE_UNAVAILABLE`, in seconds; 5 by default. */
  lockTimeout?: number;
  /**
   * How much memory the entries of lately used sessions may take, in bytes; 16,777,216 by default, 0 for none. They are
   * used only where the file says that they are still what it holds, whoever else writes to it.
   */
  cacheBytes?: number;
}

/**
 * Keeps sessions in a SQLite file that several processes of one machine may share. A path is opened at the first call,
 * in WAL mode, with `node:sqlite` or, where the runtime lacks that, with libsql. A database that is already open
 * (better-sqlite3, libsql, `node:sqlite`) is used next to the application's own tables and stays open when the store
 * closes; its journal mode is the application's choice, and its `synchronous` changes only when `durability` is given. So is
 * the storage of a Durable Object of Cloudflare's, `ctx.storage`, whose `durability` is Cloudflare's.
 *
 * A file that the store makes is for its owner alone. When another file comes in its place, a restored backup for example,
 * the store goes on with that one.
 *
 * Methods reject with `STORE_UNUSABLE` for a file that is corrupt, read-only, another application's or of a newer
 * version, and with `STORE_UNAVAILABLE` for one that is gone or stays locked, or a disk that is full. Throws
 * `INVALID_OPTION`.
 */
export function sqliteStore(
  pathOrDatabase: string | SqliteDatabase | DurableObjectSql,
  options: SqliteStoreOptions = {},
): SessionStore {
  const { source, durability, lockTimeoutMs, cacheBytes } = settle(pathOrDatabase, options);
  const ours = typeof source === "string";
  // Errors reach visitors, to whom the folders of the server are no business.
  const name = ours ? basename(source.replace(/\?.*$/, "")) : "The session database";
  const connection = new SqliteConnection<SessionTables>({
    source,
    name,
    lockTimeoutMs,
    prepare,
    replaced: () => watch.restart(),
  });
  const groups = new CommitGroups((changes) =>
    connection.use((tables) => {
      const results = tables.write(changes);
      results.forEach((result, i) => {
        // As many as there are changes.
        if (result.ok) watch.tell((changes[i] as Change)[0], result.rev);
      });
      return results;
    }),
  );
  let swept = 0;
  const watch = new SqliteWatch((look) => connection.use(look));

  function prepare(database: SqliteDatabase): SessionTables {
    // Enough for ordinary contention; the connection waits for the rest.
    if (ours) database.exec("PRAGMA busy_timeout = 10");
    if (ours) makeShrinkable(database);
    migrate(database, name, ours);
    if (ours) {
      all(database, "PRAGMA journal_mode = WAL");
      // The log grows as long as somebody reads, a backup for example, and would keep that size.
      all(database, "PRAGMA journal_size_limit = 16777216");
      // SQLite makes the log with the first look at the file, and the connection wants to know which one it is.
      all(database, "SELECT version FROM catnap_schema");
    }
    if (ours || durability) database.exec(`PRAGMA synchronous = ${durability === "power" ? "FULL" : "NORMAL"}`);
    return sessionTables(database, name, new EntryCache(cacheBytes));
  }

  /**
   * After a part of a sweep: lets requests in, since whoever sweeps goes on at once, and gives free pages of the file back to
   * the disk, step by step. What is left after the last step is for the next sweep.
   */
  async function rest() {
    await turn();
    for (let step = 0; ours && step < 40; step++) {
      if (!(await connection.use((_, database) => shrink(database)))) return;
      await turn();
    }
  }

  return {
    read: (key) => connection.use((tables) => tables.read(key)),
    write: (key, commit) => groups.write(key, commit),
    touch: (touches) => connection.use((tables) => tables.touch(touches)),
    async delete(key, ifExpiredAt) {
      const deleted = await connection.use((tables) => {
        const deleted = tables.delete(key, ifExpiredAt);
        if (deleted) watch.tell(key, 0);
        return deleted;
      });
      // One by one is how sessions are swept whose end somebody wants to hear of.
      if (deleted && ifExpiredAt !== undefined && ++swept % 200 === 0) await rest();
      return deleted;
    },
    find: (query) =>
      connection.use((tables) => {
        if (query.subject !== undefined) assertSubjectText(query.subject);
        return tables.find(query);
      }),
    async sweep(now, limit) {
      const swept = await connection.use((tables) => {
        const swept = tables.sweep(now, limit);
        if (swept > 0) watch.look(tables, true);
        return swept;
      });
      await rest();
      return swept;
    },
    lease: (task, holder, forMs) => connection.use((tables) => tables.lease(task, holder, Date.now(), forMs)),
    watch(key, listener) {
      connection.assertOpen();
      return watch.add(key, listener);
    },
    async close() {
      watch.stop();
      await groups.flush();
      await connection.close();
    },
  };
}

/** Checks the arguments. Each message names the function and, where there is one, the file. */
function settle(given: unknown, options: SqliteStoreOptions) {
  const source = sourceOf(given);
  const what = typeof source === "string" ? `sqliteStore(${shown(source)})` : "sqliteStore";
  known(what, options, ["durability", "lockTimeout", "cacheBytes"]);
  const { durability, lockTimeout = 5, cacheBytes = 16_777_216 } = options;
  if (durability !== undefined) oneOf(`${what}: durability`, durability, ["process", "power"]);
  bytes(`${what}: cacheBytes`, cacheBytes);
  return { source, durability, lockTimeoutMs: seconds(`${what}: lockTimeout`, lockTimeout, 0) * 1000, cacheBytes };
}

function sourceOf(given: unknown): string | SqliteDatabase {
  if (typeof given === "string" && given !== "" && !given.includes("\0")) return given;
  if (typeof given === "string")
    throw invalid(`sqliteStore: the path is ${shown(given)}: name a file, such as "sessions.db"`);
  if (typeof given === "object" && given !== null) {
    if (isDurableObjectSql(given)) return ofDurableObject(given);
    // Nothing is known of it but that it is an object.
    const { exec, prepare, close } = given as Partial<Record<keyof SqliteDatabase, unknown>>;
    if ([exec, prepare, close].every((method) => typeof method === "function")) return given as SqliteDatabase;
  }
  throw invalid(
    `sqliteStore: the first argument is ${shown(given)}: name a file, such as "sessions.db", or pass an opened database of node:sqlite, better-sqlite3 or libsql, which has exec, prepare and close, or a Durable Object's ctx.storage`,
  );
}
