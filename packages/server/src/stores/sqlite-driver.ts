import { SessionError } from "@catnap/shared";
import { shown } from "../option-checks.ts";

type SqliteValue = string | number | null;

/** What `sqliteStore` asks of a prepared statement. */
export interface SqliteStatement {
  run(...parameters: SqliteValue[]): unknown;
  all(...parameters: SqliteValue[]): unknown[];
}

/** What `sqliteStore` asks of a database: better-sqlite3, libsql and the `DatabaseSync` of `node:sqlite` all have it. */
export interface SqliteDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): SqliteStatement;
  close(): unknown;
}

type Opener = new (path: string) => SqliteDatabase;

/** Opens the file with `node:sqlite` where the runtime has it, else with libsql. */
export async function openFile(path: string): Promise<SqliteDatabase> {
  const Database = builtin() ?? (await libsql(path));
  try {
    return new Database(path);
  } catch (cause) {
    throw new SessionError(
      "STORE_UNUSABLE",
      `${path} cannot be opened: make sure that its folder exists, that it is a file and that this process may write it`,
      { cause },
    );
  }
}

function builtin(): Opener | undefined {
  // Node's types of version 20 know neither the function nor the module.
  const { getBuiltinModule } = process as { getBuiltinModule?: (id: string) => { DatabaseSync: Opener } | undefined };
  return getBuiltinModule?.("node:sqlite")?.DatabaseSync;
}

async function libsql(path: string): Promise<Opener> {
  try {
    return (await import("libsql")).default;
  } catch (cause) {
    throw new SessionError(
      "STORE_UNUSABLE",
      `${path} cannot be opened without a SQLite driver: use Node 22.13 or later, or run "npm install libsql"`,
      { cause },
    );
  }
}

/** A row, of which it is not known what is in its columns. */
export type Row = Readonly<Record<string, unknown>>;

/** A statement that binds nothing but what SQLite can keep. */
export interface Statement {
  run(...parameters: SqliteValue[]): unknown;
  all(...parameters: SqliteValue[]): Row[];
}

/** Prepares a statement. What it is to bind is looked at first: libsql ends the whole process over a boolean. */
export function prepare(database: SqliteDatabase, sql: string): Statement {
  const statement = database.prepare(sql);
  // Only `node:sqlite` has it, for applications whose database answers with arrays.
  (statement as { setReturnArrays?: (on: boolean) => void }).setReturnArrays?.(false);
  return {
    run: (...parameters) => statement.run(...bindable(parameters)),
    // Every driver makes an object of a row.
    all: (...parameters) => statement.all(...bindable(parameters)) as Row[],
  };
}

function bindable(parameters: SqliteValue[]): SqliteValue[] {
  for (const parameter of parameters) {
    if (typeof parameter === "string" || typeof parameter === "number" || parameter === null) continue;
    throw new SessionError(
      "INVALID_OPTION",
      `The store was given ${shown(parameter)} where only a text, a number or null can be kept: pass the identifier, subject, value or time itself`,
    );
  }
  return parameters;
}

/** Runs a query once. */
export function all(database: SqliteDatabase, sql: string, ...parameters: SqliteValue[]): Row[] {
  return prepare(database, sql).all(...parameters);
}

/** Runs `action` in a transaction that has the write lock from its first moment, so that nothing it reads can go stale. */
export function transaction<T>(database: SqliteDatabase, action: () => T): T {
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

/** Result codes of SQLite after which no retry helps: somebody has to see to the file. */
const unusable = ["ERROR", "PERM", "READONLY", "CORRUPT", "CANTOPEN", "MISMATCH", "AUTH", "FORMAT", "NOTADB"];

const numbered: Readonly<Record<number, string>> = {
  1: "ERROR",
  3: "PERM",
  5: "BUSY",
  6: "LOCKED",
  8: "READONLY",
  10: "IOERR",
  11: "CORRUPT",
  13: "FULL",
  14: "CANTOPEN",
  20: "MISMATCH",
  23: "AUTH",
  24: "FORMAT",
  26: "NOTADB",
};

/** SQLite's primary result code, wherever the driver keeps it: a number in `errcode`, or a name such as `SQLITE_BUSY_SNAPSHOT` in `code`. */
function primaryCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  const { errcode, code } = error as { errcode?: unknown; code?: unknown };
  // The low byte is the primary code, the rest details of it.
  if (typeof errcode === "number") return numbered[errcode & 0xff];
  return typeof code === "string" ? /^SQLITE_([A-Z]+)/.exec(code)?.[1] : undefined;
}

/** Whether an error may come of what a row holds: a driver refuses some contents, and SQLite makes no JSON of a BLOB. */
export function mayComeOfContent(error: unknown): boolean {
  return !(error instanceof SessionError) && ["ERROR", "MISMATCH", undefined].includes(primaryCode(error));
}

/** Whether another connection holds the lock. */
export function isBusy(error: unknown): boolean {
  const code = primaryCode(error);
  return code === "BUSY" || code === "LOCKED";
}

const remedies: Readonly<Record<string, string>> = {
  ERROR: "lacks tables that Catnap made, or its connection is inside a transaction: restore it or end the transaction",
  READONLY: "is read-only: let this process write the file and its folder",
  PERM: "is closed to this process: let it read and write the file and its folder",
  AUTH: "is closed to this process: let it read and write the file and its folder",
  CANTOPEN: "cannot be opened: make sure that its folder exists and that this process may write in it",
  CORRUPT: "is corrupt: restore it from a backup, or remove it together with its -wal and -shm files",
  NOTADB: "is not a SQLite database: name another file, or remove this one",
  BUSY: "stayed locked by another connection: end the long transaction that holds it, then try again",
  LOCKED: "stayed locked by another connection: end the long transaction that holds it, then try again",
  FULL: "cannot grow, the disk is full: free some space, then try again",
  IOERR: "could not be read or written: look after its disk, then try again",
};

/** What a driver threw, as the contract has it. The driver's error is the `cause`. */
export function translate(error: unknown, name: string): SessionError {
  if (error instanceof SessionError) return error;
  const code = primaryCode(error);
  const kind = code !== undefined && unusable.includes(code) ? "STORE_UNUSABLE" : "STORE_UNAVAILABLE";
  const remedy = remedies[code ?? ""] ?? "could not be used: the cause says why";
  return new SessionError(kind, `${name} ${remedy}`, { cause: error });
}
