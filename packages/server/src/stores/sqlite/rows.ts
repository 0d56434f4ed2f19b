import { SessionError } from "@catnap/shared";
import type { Entry, SessionInfo, SessionRecord, StoreKey } from "../store.ts";
import type { Row } from "./driver.ts";

/** What a commit has made of the session's row. */
export interface Committed {
  readonly rev: number;
  readonly stamp: number;
  readonly prior: number;
}

/** A session's row as it was read. */
interface ReadRow {
  readonly stamp: number;
  readonly fields: Omit<SessionRecord, "entries">;
  /** `null`: the cached ones are still those of the file. */
  readonly entries: ReadonlyMap<string, Entry> | null;
}

/**
 * Reads what the store's statements answer. SQLite keeps any type in any column, disks flip bits, and others may have
 * written to the file: nothing is taken for a session before each of its columns has been looked at. What is none becomes
 * `STORE_UNUSABLE` with the session's identifier.
 */
export interface RowReader {
  /** `fields` is a JSON array of the row's columns, `entries` one of `[key, value, rev, writer, seq]`. */
  session(identifier: StoreKey, row: Row): ReadRow;
  /** `own` is the identifier as bytes. */
  identifier(row: Row): StoreKey;
  /** `fields` is another such array, `entries` one of `[key, value]`, or absent. */
  info(identifier: StoreKey, row: Row): SessionInfo;
  /** `committed` is a JSON array of three numbers. */
  committed(identifier: StoreKey, row: Row): Committed;
}

/** For a database that messages call `name`; `encoding` is that of its texts. */
export function rowReader(name: string, encoding: string): RowReader {
  // Texts of a session come as bytes: over one that is no UTF-8 libsql ends the whole process, other drivers put something
  // else in its place.
  const decoder = new TextDecoder(encoding, { fatal: true });

  /** Whatever is wrong with a row becomes one error; the cause names the column. */
  function parsing<T>(identifier: string | undefined, parse: () => T): T {
    try {
      return parse();
    } catch (cause) {
      throw unreadable(name, identifier, cause);
    }
  }

  /** The text of a column that was cast to bytes; `undefined`: it is none. */
  function decoded(value: unknown): string | undefined {
    if (typeof value === "string") return value;
    if (!(value instanceof Uint8Array || value instanceof ArrayBuffer)) return undefined;
    try {
      return decoder.decode(value);
    } catch {
      return undefined;
    }
  }

  function array(json: unknown, column: string): unknown[] {
    let parsed: unknown;
    try {
      parsed = JSON.parse(decoded(json) ?? "");
    } catch {
      // What the parser says quotes what it was given; below it is said without.
    }
    if (Array.isArray(parsed)) return parsed;
    throw new TypeError(`${column} is no array in JSON`);
  }

  function toEntries(json: unknown): Map<string, Entry> {
    const entries = new Map<string, Entry>();
    for (const entry of array(json, "entries")) {
      if (!Array.isArray(entry)) throw new TypeError("an entry is no array");
      const [key, value, rev, writer, seq] = entry as unknown[];
      entries.set(text(key, "key"), {
        value: value === null ? null : text(value, "value"),
        rev: whole(rev, "rev of an entry"),
        writer: text(writer, "writer"),
        seq: number(seq, "seq"),
      });
    }
    return entries;
  }

  function toValues(json: unknown): Map<string, string> {
    const values = new Map<string, string>();
    for (const entry of array(json, "entries")) {
      if (!Array.isArray(entry)) throw new TypeError("an entry is no array");
      values.set(text(entry[0], "key"), text(entry[1], "value"));
    }
    return values;
  }

  return {
    session(identifier, row) {
      return parsing(identifier, () => {
        const fields = array(row.fields, "the row");
        const [subject, createdAt, accessedAt, authenticatedAt, transactions, rev, endsAt, timeoutMs, stamp] = fields;
        return {
          stamp: whole(stamp, "stamp"),
          fields: {
            identifier,
            rev: whole(rev, "rev"),
            createdAt: number(createdAt, "created_at"),
            endsAt: number(endsAt, "ends_at"),
            accessedAt: number(accessedAt, "accessed_at"),
            timeoutMs: number(timeoutMs, "timeout_ms"),
            transactions: number(transactions, "transactions"),
            subject: toSubject(subject),
            authenticatedAt: authenticatedAt === null ? null : number(authenticatedAt, "authenticated_at"),
          },
          entries: row.entries === null ? null : toEntries(row.entries),
        };
      });
    },

    identifier(row) {
      const identifier = decoded(row.own);
      return parsing(identifier, () => text(identifier, "identifier"));
    },

    info(identifier, row) {
      return parsing(identifier, () => {
        const fields = array(row.fields, "the row");
        const [subject, createdAt, accessedAt, authenticatedAt, transactions, expiresAt] = fields;
        const info = {
          identifier,
          subject: toSubject(subject),
          createdAt: number(createdAt, "created_at"),
          accessedAt: number(accessedAt, "accessed_at"),
          expiresAt: number(expiresAt, "ends_at"),
          authenticatedAt: authenticatedAt === null ? null : number(authenticatedAt, "authenticated_at"),
          transactions: number(transactions, "transactions"),
        };
        return row.entries === undefined ? info : { ...info, entries: toValues(row.entries) };
      });
    },

    committed(identifier, row) {
      return parsing(identifier, () => {
        const [rev, stamp, prior] = array(row.committed, "what was committed");
        return { rev: whole(rev, "rev"), stamp: whole(stamp, "stamp"), prior: whole(prior, "prior_stamp") };
      });
    },
  };
}

/** What cannot be read as a session. Tells nothing of what is there instead, which may be anybody's value. */
export function unreadable(name: string, identifier: string | undefined, cause: unknown): SessionError {
  const session = identifier !== undefined ? `session ${JSON.stringify(identifier)}` : "a session without a name";
  return new SessionError(
    "STORE_UNUSABLE",
    `${name}: ${session} is damaged and cannot be read: restore a backup, or end it with sessions.revoke(identifier)`,
    { cause },
  );
}

/** The revision of a watched session; `null` where there is none to be read, of which whoever reads the session is told. */
export function toRevision(row: Row): number | null {
  const rev = typeof row.rev === "string" ? Number(row.rev) : Number.NaN;
  return Number.isSafeInteger(rev) ? rev : null;
}

// A parser of a column says which one is damaged, never what is in it.

function text(value: unknown, column: string): string {
  if (typeof value === "string") return value;
  throw new TypeError(`${column} is no text`);
}

/** One with a NUL was never a subject, and a driver that cuts texts there would make it somebody else's. */
function toSubject(value: unknown): string | null {
  if (value === null || (typeof value === "string" && !value.includes("\0"))) return value;
  throw new TypeError("subject is no text that a subject may be");
}

function number(value: unknown, column: string): number {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw new TypeError(`${column} is no number`);
}

function whole(value: unknown, column: string): number {
  const found = number(value, column);
  if (Number.isSafeInteger(found)) return found;
  throw new TypeError(`${column} is no whole number that JavaScript holds`);
}
