import { SessionError } from "@catnap/shared";
import type { Entry, Page, SessionInfo, SessionRecord, StoreKey } from "../store.ts";
import { disarm } from "./postgres-text.ts";

// What the store's statements answer, made into what the contract says. Every column is asked for as text. Each function
// ends whatever it is given, and throws `STORE_UNUSABLE` for what it cannot read; the message never shows a value.

/** A row as the driver hands it over. */
export type Row = Readonly<Record<string, unknown>>;

function damaged(identifier: StoreKey, what: string): SessionError {
  return new SessionError(
    "STORE_UNUSABLE",
    `The session database holds ${what} of session ${identifier} in a form that cannot be read: ` +
      "restore its rows from a backup, or end it with sessions.revoke(identifier)",
  );
}

/** For an answer that has not the form of its statement. It comes from something between the database and the store. */
function garbled(what: string): SessionError {
  return new SessionError(
    "STORE_UNUSABLE",
    `The pool gives back ${what} otherwise than the session database has sent it: ` +
      "hand postgresStore a Pool of pg itself, whose queries take `types`, and no wrapper that changes rows",
  );
}

/** The rows of what the driver resolved with. */
export function toRows(result: unknown): readonly Row[] {
  const rows = typeof result === "object" && result !== null && "rows" in result ? result.rows : undefined;
  if (!Array.isArray(rows) || !rows.every((row) => typeof row === "object" && row !== null)) throw garbled("rows");
  return rows;
}

/** Reads what belongs to one session. */
function readerOf(identifier: StoreKey) {
  function as<T>(is: (value: unknown) => value is T, value: unknown, what: string): T {
    if (is(value)) return value;
    throw damaged(identifier, what);
  }
  return {
    json(value: unknown, length: number, what: string): readonly unknown[] {
      let parsed: unknown;
      try {
        parsed = JSON.parse(as(isText, value, what));
      } catch {
        // The parser's own error quotes what it was given.
        throw damaged(identifier, what);
      }
      return this.list(parsed, what, length);
    },
    list(value: unknown, what: string, length?: number): readonly unknown[] {
      const list = as(Array.isArray, value, what);
      if (length !== undefined && list.length !== length) throw damaged(identifier, what);
      return list;
    },
    whole: (value: unknown, what: string): number => as(isWhole, value, what),
    time: (value: unknown, what: string): number => as(isNumber, value, what),
    text: (value: unknown, what: string): string => as(isText, value, what),
    armoured: (value: unknown, what: string): string => as(isText, disarm(as(isText, value, what)), what),
    /** What may be `null`, by one of the others. */
    optional: <T>(value: unknown, read: (value: unknown, what: string) => T, what: string): T | null =>
      value === null ? null : read(value, what),
  };
}

const isText = (value: unknown): value is string => typeof value === "string";
const isNumber = (value: unknown): value is number => Number.isFinite(value);
const isWhole = (value: unknown): value is number => isNumber(value) && Number.isSafeInteger(value) && value >= 0;

/** Entries that are in memory, and the stamp of the commit that left them so. */
interface Known {
  readonly stamp: number;
  readonly entries: ReadonlyMap<string, Entry>;
}

/** A record and the stamp of its entries, which are the `known` ones where the database has sent none. */
export function toRecord(
  identifier: StoreKey,
  json: unknown,
  known?: Known,
): { readonly stamp: number; readonly record: SessionRecord } {
  const read = readerOf(identifier);
  const [rev, createdAt, endsAt, accessedAt, timeoutMs, transactions, subject, authenticatedAt, rawStamp, rows] =
    read.json(json, 10, "the row");
  const stamp = read.time(rawStamp, "the stamp");
  const record: SessionRecord = {
    identifier,
    rev: read.whole(rev, "the revision"),
    createdAt: read.time(createdAt, "the time of creation"),
    endsAt: read.time(endsAt, "the absolute end"),
    accessedAt: read.time(accessedAt, "the time of the last access"),
    timeoutMs: read.time(timeoutMs, "the timeout"),
    transactions: read.whole(transactions, "the count of transactions"),
    subject: read.optional(subject, read.text, "the subject"),
    authenticatedAt: read.optional(authenticatedAt, read.time, "the time of authentication"),
    entries: rows === null && known?.stamp === stamp ? known.entries : toEntries(identifier, rows),
  };
  return { stamp, record };
}

function toEntries(identifier: StoreKey, rows: unknown): ReadonlyMap<string, Entry> {
  const read = readerOf(identifier);
  const entries = new Map<string, Entry>();
  for (const row of read.list(rows, "the entries")) {
    const [key, value, rev, writer, seq] = read.list(row, "an entry", 5);
    entries.set(read.armoured(key, "an entry's name"), {
      value: read.optional(value, read.armoured, "an entry's value"),
      rev: read.whole(rev, "an entry's revision"),
      writer: read.armoured(writer, "an entry's writer"),
      seq: read.whole(seq, "an entry's number"),
    });
  }
  return entries;
}

/** What `write` answers: how the commit went in, or the record that stands in its way. */
export type Outcome =
  | { readonly kind: "committed"; readonly rev: number; readonly prior: number }
  | { readonly kind: "refused"; readonly record: SessionRecord | null };

export function toOutcome(key: StoreKey, rows: readonly Row[]): Outcome {
  const result = only(rows, "result", "the outcome of a commit");
  if (result === null) return { kind: "refused", record: null };
  if (!isText(result)) throw garbled("the outcome of a commit");
  if (result.startsWith("[")) return { kind: "refused", record: toRecord(key, result).record };
  const [rev, prior] = result.split(" ").map(Number);
  if (!isWhole(rev) || !isNumber(prior)) throw garbled("the outcome of a commit");
  return { kind: "committed", rev, prior };
}

/** A page of at most `limit` sessions. */
export function toPage(rows: readonly Row[], limit: number): Page<SessionInfo> {
  const items = rows.slice(0, limit).map(toInfo);
  const last = items.at(-1);
  return rows.length > limit && last !== undefined ? { items, cursor: last.identifier } : { items };
}

function toInfo({ identifier: key, info }: Row): SessionInfo {
  const identifier = toKey(key);
  const read = readerOf(identifier);
  const [subject, createdAt, accessedAt, expiresAt, authenticatedAt, transactions, entries] = read.json(
    info,
    7,
    "the row",
  );
  return {
    identifier,
    subject: read.optional(subject, read.text, "the subject"),
    createdAt: read.time(createdAt, "the time of creation"),
    accessedAt: read.time(accessedAt, "the time of the last access"),
    expiresAt: read.time(expiresAt, "the expiry"),
    authenticatedAt: read.optional(authenticatedAt, read.time, "the time of authentication"),
    transactions: read.whole(transactions, "the count of transactions"),
    ...(entries === null ? {} : { entries: toValues(identifier, entries) }),
  };
}

function toValues(identifier: StoreKey, rows: unknown): ReadonlyMap<string, string> {
  const read = readerOf(identifier);
  return new Map(
    read.list(rows, "the entries").map((row) => {
      const [name, value] = read.list(row, "an entry", 2);
      return [read.armoured(name, "an entry's name"), read.armoured(value, "an entry's value")];
    }),
  );
}

function toKey(value: unknown): StoreKey {
  const key = isText(value) ? disarm(value) : undefined;
  if (key === undefined) throw garbled("the identifier of a session");
  return key;
}

/** The revisions of sessions, by their identifiers. */
export function toRevisions(rows: readonly Row[]): ReadonlyMap<StoreKey, number> {
  return new Map(
    rows.map(({ identifier, rev }) => {
      const key = toKey(identifier);
      return [key, readerOf(key).whole(toNumber(rev), "the revision")];
    }),
  );
}

/** What a statement of one row says in its one column: `true` or `false`. */
export function toFlag(rows: readonly Row[], column: string): boolean {
  const value = only(rows, column, `"${column}"`);
  if (value === "true" || value === "false") return value === "true";
  throw garbled(`"${column}"`);
}

/** What a statement of one row says in its one column: a number from 0. */
export function toCount(rows: readonly Row[], column: string): number {
  const count = toNumber(only(rows, column, `"${column}"`));
  if (isWhole(count)) return count;
  throw garbled(`"${column}"`);
}

/** The database's clock, in epoch milliseconds. */
export function toClock(rows: readonly Row[]): number {
  const now = toNumber(only(rows, "now", "its time"));
  if (isNumber(now)) return now;
  throw garbled("its time");
}

/** What a notification says of a session, if it is one of a commit: anybody may send anything. */
export function toNews(payload: string): { readonly key: StoreKey; readonly rev: number } | null {
  const space = payload.lastIndexOf(" ");
  const key = disarm(payload.slice(0, Math.max(0, space)));
  const rev = toNumber(payload.slice(space + 1));
  return space < 0 || key === undefined || !isWhole(rev) ? null : { key, rev };
}

/** `NaN` for all but the digits of a number. */
function toNumber(value: unknown): number {
  return isText(value) && value.trim() === value && value !== "" ? Number(value) : Number.NaN;
}

function only(rows: readonly Row[], column: string, what: string): unknown {
  const [row] = rows;
  if (row === undefined || rows.length !== 1 || !(column in row)) throw garbled(what);
  return row[column];
}
