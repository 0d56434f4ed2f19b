import { boolean, bytes, invalid, known, seconds, shown } from "../../option-checks.ts";
import type { PostgresPool } from "./pool.ts";

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

/** Checks what `postgresStore` is given. Throws `INVALID_OPTION` with the argument, what it may be, and what to do. */
export function checkArguments(pool: unknown, options: PostgresStoreOptions): void {
  checkPool("the first argument", pool);
  known("postgresStore", options, ["schema", "timeout", "notify", "listen", "prepare", "cacheBytes"]);
  const { schema = "catnap", timeout = 5, notify = true, prepare = true, cacheBytes = 0, listen } = options;
  if (typeof schema !== "string" || !/^[a-z_][a-z0-9_]{0,50}$/.test(schema)) {
    throw invalid(
      `postgresStore: schema is ${shown(schema)}: give at most 51 lower case letters, digits and _, the first no digit`,
    );
  }
  if (seconds("postgresStore: timeout", timeout) > 3600) {
    throw invalid(`postgresStore: timeout is ${timeout}: give a number of seconds above 0, at most 3600`);
  }
  boolean("postgresStore: notify", notify);
  boolean("postgresStore: prepare", prepare);
  bytes("postgresStore: cacheBytes", cacheBytes);
  if (listen === undefined) return;
  checkPool("listen", listen);
  if (!notify) throw invalid("postgresStore: listen needs notify: leave one of them out");
}

function checkPool(what: string, pool: unknown): void {
  if (typeof pool === "object" && pool !== null) {
    // Nothing is known of it but that it is an object.
    const { connect, on } = pool as Partial<Record<keyof PostgresPool, unknown>>;
    // A `Client` has both methods as well, but gives no connection.
    const isClient = "connectionParameters" in pool;
    if (typeof connect === "function" && typeof on === "function" && !isClient) return;
  }
  // A text may be a URL with a password in it.
  const given = typeof pool === "string" ? "a string" : shown(pool);
  throw invalid(`postgresStore: ${what} is ${given}: pass a Pool of pg, such as new Pool({ connectionString })`);
}
