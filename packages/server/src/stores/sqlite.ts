import { setTimeout as pause } from "node:timers/promises";
import { SessionError } from "@catnap/shared";
import type { SessionStore } from "../store.ts";
import { assertSubjectText } from "../subject-text.ts";
import { EntryCache } from "./entry-cache.ts";
import { isBusy, openFile, type SqliteDatabase, translate } from "./sqlite-driver.ts";
import { migrate } from "./sqlite-schema.ts";
import { type SessionTables, sessionTables } from "./sqlite-tables.ts";
import { SqliteWatch } from "./sqlite-watch.ts";

export type { SqliteDatabase, SqliteStatement } from "./sqlite-driver.ts";

/** Options of `sqliteStore`. */
export interface SqliteStoreOptions {
  /**
   * What an acknowledged commit survives. `"process"`, the default: the death of the process, not a power cut, which
   * may take the last commits (never half of one). `"power"`: both, for a flush of the disk with every commit.
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
 * closes; its journal mode is the application's choice, and its `synchronous` changes only when `durability` is given.
 *
 * Methods reject with `STORE_UNUSABLE` for a file that is corrupt, read-only, another application's or of a newer
 * version, and with `STORE_UNAVAILABLE` for one that stays locked or a disk that is full. Throws `INVALID_OPTION`.
 */
export function sqliteStore(pathOrDatabase: string | SqliteDatabase, options: SqliteStoreOptions = {}): SessionStore {
  const { durability, lockTimeout = 5, cacheBytes = 16_777_216 } = options;
  checkOptions(pathOrDatabase, options);
  const ours = typeof pathOrDatabase === "string";
  const name = ours ? pathOrDatabase : "The session database";
  let opened: Promise<{ database: SqliteDatabase; tables: SessionTables }> | undefined;
  let closed = false;
  const watch = new SqliteWatch((look) => use(look));

  async function open() {
    const database = ours ? await openFile(pathOrDatabase) : pathOrDatabase;
    try {
      return await patiently(() => ({ database, tables: prepare(database) }));
    } catch (error) {
      if (ours) database.close();
      throw error;
    }
  }

  function prepare(database: SqliteDatabase): SessionTables {
    // Enough for ordinary contention; `patiently` is for the rest.
    if (ours) database.exec("PRAGMA busy_timeout = 10");
    migrate(database, name, ours);
    if (ours) database.prepare("PRAGMA journal_mode = WAL").all();
    if (ours || durability) database.exec(`PRAGMA synchronous = ${durability === "power" ? "FULL" : "NORMAL"}`);
    return sessionTables(database, name, new EntryCache(cacheBytes));
  }

  /**
   * Waits for a lock without blocking the event loop, as SQLite's own wait would: a commit that another process holds up
   * for seconds must not stop everything else that this process does.
   */
  async function patiently<T>(action: () => T): Promise<T> {
    const deadline = performance.now() + lockTimeout * 1000;
    for (;;) {
      if (closed) throw new SessionError("STORE_UNAVAILABLE", `The store of ${name} is closed: make another one`);
      try {
        return action();
      } catch (error) {
        if (!isBusy(error) || performance.now() > deadline) throw translate(error, name);
      }
      await pause(10);
    }
  }

  async function use<T>(action: (tables: SessionTables) => T): Promise<T> {
    opened ??= open();
    const attempt = opened;
    try {
      const { tables } = await attempt;
      return await patiently(() => action(tables));
    } catch (error) {
      // A failed opening is not for ever: the next call tries again.
      await attempt.catch(() => {
        if (opened === attempt) opened = undefined;
      });
      throw error;
    }
  }

  return {
    read: (key) => use((tables) => tables.read(key)),
    async write(key, commit) {
      if (commit.subject !== undefined) assertSubjectText(commit.subject);
      return use((tables) => {
        const result = tables.write(key, commit);
        if (result.ok) watch.tell(key, result.rev);
        return result;
      });
    },
    touch: (touches) => use((tables) => tables.touch(touches)),
    delete: (key, ifExpiredAt) =>
      use((tables) => {
        const deleted = tables.delete(key, ifExpiredAt);
        if (deleted) watch.tell(key, 0);
        return deleted;
      }),
    async find(query) {
      if (query.subject !== undefined) assertSubjectText(query.subject);
      return use((tables) => tables.find(query));
    },
    sweep: (now, limit) =>
      use((tables) => {
        const swept = tables.sweep(now, limit);
        if (swept > 0) watch.look(tables, true);
        return swept;
      }),
    lease: (task, holder, forMs) => use((tables) => tables.lease(task, holder, Date.now(), forMs)),
    watch: (key, listener) => watch.add(key, listener),
    async close() {
      if (closed) return;
      closed = true;
      watch.stop();
      const last = await opened?.catch(() => undefined);
      if (ours) last?.database.close();
    },
  };
}

function checkOptions(
  pathOrDatabase: string | SqliteDatabase,
  { durability, lockTimeout = 5, cacheBytes = 0 }: SqliteStoreOptions,
) {
  if (pathOrDatabase === "") throw new SessionError("INVALID_OPTION", "sqliteStore: name a file, or pass a database");
  if (durability !== undefined && durability !== "process" && durability !== "power") {
    throw new SessionError("INVALID_OPTION", 'sqliteStore: durability must be "process" or "power"');
  }
  if (!(lockTimeout >= 0)) {
    throw new SessionError("INVALID_OPTION", "sqliteStore: lockTimeout must be a number of seconds from 0");
  }
  if (!(cacheBytes >= 0)) throw new SessionError("INVALID_OPTION", "sqliteStore: cacheBytes must be a number from 0");
}
