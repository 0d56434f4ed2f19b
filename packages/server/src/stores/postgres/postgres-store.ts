import { SessionError } from "@catnap/shared";
import { EntryCache, freshStamp } from "../entry-cache.ts";
import type { SessionStore } from "../store.ts";
import { assertSubjectText } from "../subject-text.ts";
import { guardPool } from "./calls.ts";
import { PostgresDatabase } from "./database.ts";
import { commitParameters, findParameters, touchParameters } from "./parameters.ts";
import type { PostgresPool } from "./pool.ts";
import { toCount, toFlag, toOutcome, toPage, toRecord } from "./replies.ts";
import { armour } from "./text.ts";
import { PostgresWatch } from "./watch.ts";

export type { PostgresConnection, PostgresPool, PostgresQuery } from "./pool.ts";

/** Options of `postgresStore`. */
export interface PostgresStoreOptions {
  /** The schema that holds the store's tables and functions, `catnap` by default: lower case letters, digits and `_`. */
  schema?: string;
  /** How long a call may take, in seconds, before it rejects with `STORE_UNAVAILABLE`; 5 by default. */
  timeout?: number;
  /**
   * Whether commits tell other processes over NOTIFY, as live updates want it; `true` by default. PostgreSQL lines up all
   * transactions that notify at their very end: a database that commits thousands of times a second and needs no live
   * updates does better without. The store then has no `watch`.
   */
  notify?: boolean;
  /**
   * A pool for the one connection that LISTENs for live updates, where the first has no place for it: its connections go
   * through a pooler that hands them out by transaction, or there is only one. It must reach the same database itself;
   * `max: 1` will do. It stays open when the store closes.
   */
  listen?: PostgresPool;
  /**
   * Whether connections keep the store's statements prepared, `true` by default. `false` for a pooler that hands each
   * transaction to another connection and knows nothing of prepared statements; the store finds out by itself, and says so.
   */
  prepare?: boolean;
  /**
   * How much memory the entries of lately used sessions may take, in bytes; 16,777,216 by default, 0 for none. They are
   * used only where the database says that they are still what it holds, whoever else writes to it.
   */
  cacheBytes?: number;
}

/** A `SessionStore` that also makes its tables. */
export interface PostgresStore extends SessionStore {
  /**
   * Brings the schema to the tables of this Catnap, whatever version it has. Any number of processes may call it at
   * once; run it when you deploy. Rejects with `STORE_UNUSABLE` when a newer Catnap has been here, or the role may not.
   */
  migrate(): Promise<void>;
  /** The statement that `migrate` runs, for those who keep migrations of their own. */
  migration(): string;
}

/** The longest lease, in milliseconds: PostgreSQL's times end in the year 294276. */
const longestLeaseMs = 1e14;

/** How many touches go to the database in one statement: they are locked together, and should not be for long. */
const touchesAtOnce = 200;

/**
 * Keeps sessions in PostgreSQL, 13 or later, over your own pool of `pg`, which stays open when the store closes. Every
 * call is one round trip, a commit too: only the rows of what has changed are written. `migrate` makes the tables.
 *
 * What an acknowledged commit survives is the database's `synchronous_commit`. Methods reject with `STORE_UNUSABLE` when
 * the tables are missing or of another version, or the role may not use them; with `STORE_UNAVAILABLE` when the database
 * cannot be reached, takes no writes or takes too long. After the latter a commit may have taken effect all the same, but
 * takes none later.
 * Throws `INVALID_OPTION`.
 */
export function postgresStore(pool: PostgresPool, options: PostgresStoreOptions = {}): PostgresStore {
  checkOptions(options);
  const { schema: name = "catnap", timeout = 5, notify = true, prepare = true, cacheBytes = 16_777_216 } = options;
  const { listen = pool } = options;
  const timeoutMs = timeout * 1000;
  const database = new PostgresDatabase({ pool, name, timeoutMs, prepare });
  const cache = new EntryCache(cacheBytes);
  const watch = new PostgresWatch({
    pool: listen,
    shared: listen === pool,
    channel: database.channel,
    timeoutMs,
    revisions: (keys, connection) => database.revisions(keys, connection),
    notify: (payload) => database.ask("notify", [database.channel, payload]),
  });
  guardPool(listen);

  const store: PostgresStore = {
    async read(key) {
      const cached = cache.get(key);
      const [row] = await database.ask("read", [armour(key), cached?.stamp ?? null]);
      if (row === undefined) {
        cache.drop(key);
        return null;
      }
      const { stamp, record } = toRecord(key, row.record, cached);
      if (stamp !== cached?.stamp) cache.set(key, stamp, record.entries);
      return record;
    },

    async write(key, commit) {
      if (commit.subject !== undefined) assertSubjectText(commit.subject);
      const stamp = freshStamp();
      const rows = await database.ask("write", [...commitParameters(key, commit), stamp], [notify]);
      const outcome = toOutcome(key, rows);
      if (outcome.kind === "refused") return { ok: false, record: outcome.record };
      const { rev, prior } = outcome;
      cache.advance(key, { rev, stamp, prior }, commit.changes);
      return { ok: true, rev };
    },

    async touch(touches) {
      // In the order of their keys, so that two processes do not wait for each other.
      const sorted = touches.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
      for (let start = 0; start < sorted.length; start += touchesAtOnce) {
        await database.ask("touch", touchParameters(sorted.slice(start, start + touchesAtOnce)), []);
      }
    },

    async delete(key, ifExpiredAt) {
      return toFlag(await database.ask("erase", [armour(key), ifExpiredAt ?? null], [notify]), "erased");
    },

    async find(query) {
      if (query.subject !== undefined) assertSubjectText(query.subject);
      const { name, values } = findParameters(query);
      return toPage(await database.ask(name, values), query.limit);
    },

    async sweep(now, limit) {
      return toCount(await database.ask("sweep", [now, limit, notify]), "swept");
    },

    async lease(task, holder, forMs) {
      if (!(forMs > 0)) return toFlag(await database.ask("giveBack", [task, holder]), "mine");
      const rows = await database.ask("lease", [task, holder, Math.min(forMs, longestLeaseMs)]);
      return rows.length > 0 && toFlag(rows, "mine");
    },

    migrate: () => database.migrate(),

    migration: () => database.migration(),

    async close() {
      database.close();
      watch.stop();
    },
  };
  if (notify) {
    store.watch = (key, listener) => {
      database.assertOpen();
      return watch.add(key, listener);
    };
  }
  return store;
}

function checkOptions({ schema = "catnap", timeout = 5, cacheBytes = 0, notify = true, listen }: PostgresStoreOptions) {
  if (!/^[a-z_][a-z0-9_]{0,50}$/.test(schema)) {
    throw new SessionError(
      "INVALID_OPTION",
      "postgresStore: schema must be at most 51 lower case letters, digits and _, the first no digit",
    );
  }
  if (!(timeout > 0 && timeout <= 3600)) {
    throw new SessionError(
      "INVALID_OPTION",
      "postgresStore: timeout must be a number of seconds above 0, at most 3600",
    );
  }
  if (!(cacheBytes >= 0)) throw new SessionError("INVALID_OPTION", "postgresStore: cacheBytes must be a number from 0");
  if (listen !== undefined && !notify) {
    throw new SessionError("INVALID_OPTION", "postgresStore: listen needs notify: leave one of them out");
  }
}
