import type { SqliteDatabase, SqliteValue } from "./driver.ts";

/** What `sqliteStore` asks of the storage of a Durable Object of Cloudflare's, `ctx.storage`, whose class keeps SQLite. */
export interface DurableObjectSql {
  readonly sql: { exec(query: string, ...bindings: SqliteValue[]): { toArray(): unknown[] } };
  transactionSync<T>(closure: () => T): T;
}

export function isDurableObjectSql(source: object): source is DurableObjectSql {
  // Nothing is known of it but that it is an object.
  const { sql, transactionSync } = source as Partial<DurableObjectSql>;
  return typeof sql?.exec === "function" && typeof transactionSync === "function";
}

/** The storage as a database. It is the object's alone, prepares by itself, and is open as long as the object lives. */
export function ofDurableObject(storage: DurableObjectSql): SqliteDatabase {
  function all(query: string, ...bindings: SqliteValue[]): unknown[] {
    try {
      return storage.sql.exec(query, ...bindings).toArray();
    } catch (error) {
      throw coded(error);
    }
  }
  return {
    exec: (query) => void all(query),
    prepare: (query) => ({
      all: (...bindings) => all(query, ...bindings),
      run(...bindings) {
        all(query, ...bindings);
        return all("SELECT changes() AS changes")[0];
      },
    }),
    transactionSync: (action) => storage.transactionSync(action),
    close: () => undefined,
  };
}

/** Gives an error SQLite's result code, which other drivers put there, and Cloudflare only at the end of the message. */
function coded(error: unknown): unknown {
  const [code] = (error instanceof Error && /SQLITE_[A-Z]+(?=\W*$)/.exec(error.message)) || [];
  return code === undefined ? error : Object.assign(error as Error, { code });
}
