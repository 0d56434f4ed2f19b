import { EntryCache, freshStamp } from "../entry-cache.ts";
import type { SessionStore } from "../store.ts";
import { assertSubjectText } from "../subject-text.ts";
import { guardPool } from "./calls.ts";
import { PostgresDatabase } from "./database.ts";
import { checkArguments, type PostgresStoreOptions } from "./options.ts";
import { commitParameters, findParameters, touchParameters } from "./parameters.ts";
import type { PostgresPool } from "./pool.ts";
import { toCount, toFlag, toOutcome, toPage, toRecord } from "./replies.ts";
import { armour } from "./text.ts";
import { PostgresWatch } from "./watch.ts";

export type { PostgresStoreOptions } from "./options.ts";
export type { PostgresConnection, PostgresPool, PostgresQuery } from "./pool.ts";

/** A `SessionStore` that also makes its tables. */
export interface PostgresStore extends SessionStore {
  /**
   * Brings the schema to the tables of this Catnap, whatever version it has; those of a newer Catnap stay as they are. Any
   * number of processes may call it at once; run it when you deploy. Rejects with `STORE_UNUSABLE` when this Catnap cannot
   * work with what a newer one has made, or the role may not.
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
 * the tables are missing or of a version that this Catnap cannot work with, or the role may not use them; with
 * `STORE_UNAVAILABLE` when the database cannot be reached, takes no writes or takes too long. After the latter a commit may
 * have taken effect all the same, but takes none later.
 * Throws `INVALID_OPTION` for what is no pool, and for an option that does not exist or has a value that it cannot have.
 */
export function postgresStore(pool: PostgresPool, options: PostgresStoreOptions = {}): PostgresStore {
  checkArguments(pool, options);
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
      const known = cached && { stamp: cached.stamp, entries: cached.record.entries };
      const { stamp, record } = toRecord(key, row.record, known);
      cache.set(key, stamp, record);
      return record;
    },

    recall: (key) => cache.recall(key),

    async write(key, commit) {
      if (commit.subject !== undefined) assertSubjectText(commit.subject);
      const stamp = freshStamp();
      const rows = await database.ask("write", [...commitParameters(key, commit), stamp], [notify]);
      const outcome = toOutcome(key, rows);
      if (outcome.kind === "refused") return { ok: false, record: outcome.record };
      const { rev, prior, transactions } = outcome;
      cache.advance(key, { rev, stamp, prior }, commit);
      return commit.on ? { ok: true, rev, transactions } : { ok: true, rev };
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
