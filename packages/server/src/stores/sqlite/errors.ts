import { SessionError } from "@catnap/shared";

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
export function primaryCode(error: unknown): string | undefined {
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
  const remedy =
    remedies[code ?? ""] ?? "could not be used: make sure that the database is open, and see the error's cause";
  return new SessionError(kind, `${name} ${remedy}`, { cause: error });
}
