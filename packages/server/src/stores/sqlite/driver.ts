import { SessionError } from "@catnap/shared";
import { shown } from "../../option-checks.ts";
import { primaryCode } from "./errors.ts";

/** What statements bind. */
export type SqliteValue = string | number | null;

/** What `sqliteStore` asks of a prepared statement. */
export interface SqliteStatement {
  run(...parameters: SqliteValue[]): unknown;
  all(...parameters: SqliteValue[]): unknown[];
}

/** What `sqliteStore` asks of a database: better-sqlite3, libsql and the `DatabaseSync` of `node:sqlite` all have it. */
export interface SqliteDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): SqliteStatement;
  /** Runs a transaction, where that cannot be told by `BEGIN` and `COMMIT`. */
  transactionSync?<T>(action: () => T): T;
  close(): unknown;
}

/** Opens a file. */
export type Opener = new (path: string) => SqliteDatabase;

/** What opens files: `node:sqlite` where the runtime has it, else libsql. `name` is what messages call the file. */
export async function driver(name: string): Promise<Opener> {
  return builtin() ?? (await libsql(name));
}

function builtin(): Opener | undefined {
  // Node's types of version 20 know neither the function nor the module.
  const { getBuiltinModule } = process as { getBuiltinModule?: (id: string) => { DatabaseSync: Opener } | undefined };
  return getBuiltinModule?.("node:sqlite")?.DatabaseSync;
}

async function libsql(name: string): Promise<Opener> {
  let cause: unknown;
  try {
    const { default: Database } = await import("libsql");
    // Bundles for Workers have nothing in its place.
    if (Database !== undefined) return Database;
  } catch (error) {
    cause = error;
  }
  throw new SessionError(
    "STORE_UNUSABLE",
    `${name} cannot be opened without a SQLite driver: use Node 22.13 or later, or run "npm install libsql"; in a Worker give sqliteStore a Durable Object's ctx.storage`,
    { cause },
  );
}

/** A row, of which it is not known what is in its columns. */
export type Row = Readonly<Record<string, unknown>>;

/** A statement that binds nothing but what SQLite can keep. */
export interface Statement {
  run(...parameters: SqliteValue[]): unknown;
  all(...parameters: SqliteValue[]): Row[];
}

/**
 * Prepares a statement, whose parameters may be numbered. better-sqlite3 binds numbered ones by name only, so they become
 * plain ones, in the order in which they stand.
 */
export function prepare(database: SqliteDatabase, sql: string): Statement {
  const order: number[] = [];
  const plain = sql.replace(/\?(\d+)/g, (_, number) => {
    order.push(Number(number) - 1);
    return "?";
  });
  const statement = database.prepare(plain);
  // Only `node:sqlite` has it, for applications whose database answers with arrays.
  (statement as { setReturnArrays?: (on: boolean) => void }).setReturnArrays?.(false);
  return {
    run: (...parameters) => statement.run(...bindable(parameters, order)),
    // Every driver makes an object of a row.
    all: (...parameters) => statement.all(...bindable(parameters, order)) as Row[],
  };
}

/** The parameters in their order, looked at before they are bound: libsql ends the whole process over a boolean. */
function bindable(parameters: SqliteValue[], order: readonly number[]): SqliteValue[] {
  for (const parameter of parameters) {
    if (typeof parameter === "string" || typeof parameter === "number" || parameter === null) continue;
    throw new SessionError(
      "INVALID_OPTION",
      `The store was given ${shown(parameter)} where only a text, a number or null can be kept: pass the identifier, subject, value or time itself`,
    );
  }
  return order.length === 0 ? parameters : order.map((at) => parameters[at] ?? null);
}

/** Runs a query once. */
export function all(database: SqliteDatabase, sql: string, ...parameters: SqliteValue[]): Row[] {
  return prepare(database, sql).all(...parameters);
}

/** The encoding of a database's texts, by a letter: a Durable Object forbids `PRAGMA encoding`. */
export function encodingOf(database: SqliteDatabase): string {
  const letter = all(database, "SELECT hex(CAST('a' AS BLOB)) AS hex")[0]?.hex;
  if (letter === "6100") return "utf-16le";
  return letter === "0061" ? "utf-16be" : "utf-8";
}

/** Runs `action` in a transaction that has the write lock from its first moment, so that nothing it reads can go stale. */
export function transaction<T>(database: SqliteDatabase, action: () => T): T {
  if (database.transactionSync) return database.transactionSync(action);
  database.exec("BEGIN IMMEDIATE");
  try {
    const result = action();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    rollback(database);
    throw error;
  }
}

function rollback(database: SqliteDatabase): void {
  try {
    database.exec("ROLLBACK");
  } catch (error) {
    // After a full disk or a failed write SQLite has rolled back by itself, and there is nothing left to undo.
    if (primaryCode(error) !== "ERROR") throw error;
  }
}
