import { SessionError } from "@catnap/shared";
import type { SessionStore, StoreKey } from "../store.ts";
import { type Deadline, deadlineIn, within } from "./deadline.ts";
import { EntryCache, freshStamp } from "./entry-cache.ts";
import { DatabaseClock, database, guard, lend, persist, send } from "./postgres-calls.ts";
import { channelOf } from "./postgres-expressions.ts";
import { isTooLate, type PostgresConnection, type PostgresPool, type PostgresQuery } from "./postgres-pool.ts";
import { commitParameters, findParameters, toPage, toRecord, touchParameters } from "./postgres-rows.ts";
import { migrationScript, schemaVersion } from "./postgres-schema.ts";
import { statements } from "./postgres-statements.ts";
import { PostgresWatch } from "./postgres-watch.ts";

export type { PostgresConnection, PostgresPool, PostgresQuery } from "./postgres-pool.ts";

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
  /** Whether connections keep the store's statements prepared, `true` by default. `false` for a pooler that hands each transaction to another connection and knows nothing of prepared statements. */
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

/** How long to wait for the turn to migrate, and for what there is to do. */
const migrationMs = 60_000;

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
  const { schema: name = "catnap", timeout = 5, notify = true, prepare = true, cacheBytes = 16_777_216 } = options;
  checkOptions(name, timeout, cacheBytes);
  const schema = `"${name}"`;
  const sql = statements(schema);
  const timeoutMs = timeout * 1000;
  const cache = new EntryCache(cacheBytes);
  let closed = false;
  let version: Promise<void> | undefined;

  guard(pool);

  const clock = new DatabaseClock((deadline) => send(pool, deadline, { text: sql.clock }));
  const watch = new PostgresWatch({ pool, channel: channelOf(schema), timeoutMs, revisions });

  /** Runs a statement within the deadline, one with `clocked` with what that is by the database's clock before its last value. */
  async function ask<Row>(name: keyof typeof sql, values: unknown[], clocked: unknown[] | null = null): Promise<Row[]> {
    const deadline = deadlineIn(timeoutMs);
    version ??= checkVersion().catch((error: unknown) => {
      version = undefined;
      throw error;
    });
    await version;
    const { rows } = await attempt(deadline, async () => {
      const all = clocked === null ? values : [...values, await clock.at(deadline), ...clocked];
      return send(pool, deadline, statement(name, all)).catch((error: unknown) => {
        if (isTooLate(error)) clock.doubt();
        throw error;
      });
    });
    // The statement selects what the caller says.
    return rows as Row[];
  }

  function attempt<T>(deadline: Deadline, action: () => Promise<T>): Promise<T> {
    return persist(deadline, async () => {
      if (closed) throw new SessionError("STORE_UNAVAILABLE", "This postgresStore is closed: make another one");
      return action();
    });
  }

  function statement(name: keyof typeof sql, values: unknown[]): PostgresQuery {
    const text = sql[name];
    return prepare ? { name: `${schema}.${name}.${schemaVersion}`, text, values } : { text, values };
  }

  async function checkVersion(): Promise<void> {
    const deadline = deadlineIn(timeoutMs);
    const { rows, sentAt } = await attempt(deadline, () => send(pool, deadline, { text: sql.version }));
    const [row] = rows as [{ version: string; now: string } | undefined];
    const found = Number(row?.version ?? 0);
    if (row !== undefined && found === schemaVersion) return clock.set(sentAt, Number(row.now));
    const remedy =
      found > schemaVersion
        ? "upgrade Catnap, or name another schema"
        : "run `await store.migrate()` once per release, before the servers start";
    throw new SessionError(
      "STORE_UNUSABLE",
      `The schema ${name} has version ${found} of Catnap's tables and this Catnap works with version ${schemaVersion}: ${remedy}`,
    );
  }

  async function revisions(connection: PostgresConnection, keys: readonly StoreKey[]) {
    const deadline = deadlineIn(timeoutMs);
    const { rows } = await attempt(deadline, () =>
      within(deadline, database, connection.query({ text: sql.revisions, values: [keys] })),
    );
    return new Map((rows as { identifier: string; rev: unknown }[]).map((row) => [row.identifier, Number(row.rev)]));
  }

  const store: PostgresStore = {
    async read(key) {
      const cached = cache.get(key);
      const [row] = await ask<{ record: string }>("read", [key, cached?.stamp ?? 0]);
      if (row === undefined) {
        cache.drop(key);
        return null;
      }
      const { stamp, record } = toRecord(key, row.record, cached?.entries);
      if (stamp !== cached?.stamp) cache.set(key, stamp, record.entries);
      return record;
    },

    async write(key, commit) {
      const stamp = freshStamp();
      const [row] = await ask<{ result: string | null }>("write", [...commitParameters(key, commit), stamp], [notify]);
      const result = row?.result ?? null;
      if (result === null) return { ok: false, record: null };
      if (result.startsWith("[")) return { ok: false, record: toRecord(key, result).record };
      const [rev = 0, prior = 0] = result.split(" ").map(Number);
      cache.advance(key, { rev, stamp, prior }, commit.changes);
      return { ok: true, rev };
    },

    async touch(touches) {
      // In the order of their keys, so that two processes do not wait for each other.
      const sorted = touches.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
      for (let start = 0; start < sorted.length; start += touchesAtOnce) {
        await ask("touch", touchParameters(sorted.slice(start, start + touchesAtOnce)), []);
      }
    },

    async delete(key, ifExpiredAt) {
      const [row] = await ask<{ erased: boolean }>("erase", [key, ifExpiredAt ?? null], [notify]);
      return row?.erased === true;
    },

    async find(query) {
      const { name, values } = findParameters(query);
      return toPage(await ask<{ info: string }>(name, [...values, query.limit + 1]), query.limit);
    },

    async sweep(now, limit) {
      const [row] = await ask<{ swept: unknown }>("sweep", [now, limit, notify]);
      return Number(row?.swept);
    },

    async lease(task, holder, forMs) {
      return (await ask("lease", [task, holder, forMs])).length === 1;
    },

    async migrate() {
      const deadline = deadlineIn(migrationMs);
      await attempt(deadline, () =>
        // Closed in the middle of a transaction, a connection undoes it.
        lend(pool, deadline, async (connection) => {
          // The default may be a stricter one, in which a process that waited for its turn would not see what was done meanwhile.
          // Of the pool's timeouts, which are meant for calls, none may end the wait for that turn.
          await connection.query({
            text: `BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = ${migrationMs}; SET LOCAL lock_timeout = 0`,
          });
          await connection.query({ text: migrationScript(schema) });
          await connection.query({ text: "COMMIT" });
        }),
      );
    },

    migration: () => migrationScript(schema),

    async close() {
      closed = true;
      watch.stop();
    },
  };
  if (notify) store.watch = (key, listener) => watch.add(key, listener);
  return store;
}

function checkOptions(schema: string, timeout: number, cacheBytes: number) {
  if (!/^[a-z_][a-z0-9_]{0,50}$/.test(schema)) {
    throw new SessionError(
      "INVALID_OPTION",
      "postgresStore: schema must be at most 51 lower case letters, digits and _, the first no digit",
    );
  }
  if (!(timeout > 0 && timeout <= 3600)) {
    throw new SessionError("INVALID_OPTION", "postgresStore: timeout must be a number of seconds above 0");
  }
  if (!(cacheBytes >= 0)) throw new SessionError("INVALID_OPTION", "postgresStore: cacheBytes must be a number from 0");
}
