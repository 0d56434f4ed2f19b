import { SessionError } from "@catnap/shared";
import type { Entry, Page, SessionInfo, SessionRecord, StoreKey } from "../store.ts";
import { afterEntry, afterField, disarm } from "./text.ts";

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

/** Reads what belongs to a session, or throws with its identifier: a list that rests as JSON, of so many items. */
function json(of: StoreKey, value: unknown, what: string, length: number): readonly unknown[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text(of, value, what));
  } catch {
    // The parser's own error quotes what it was given.
    throw damaged(of, what);
  }
  return list(of, parsed, what, length);
}

function list(of: StoreKey, value: unknown, what: string, length?: number): readonly unknown[] {
  if (Array.isArray(value) && (length === undefined || value.length === length)) return value;
  throw damaged(of, what);
}

function whole(of: StoreKey, value: unknown, what: string): number {
  if (isWhole(value)) return value;
  throw damaged(of, what);
}

function time(of: StoreKey, value: unknown, what: string): number {
  if (isNumber(value)) return value;
  throw damaged(of, what);
}

function text(of: StoreKey, value: unknown, what: string): string {
  if (isText(value)) return value;
  throw damaged(of, what);
}

/** A text that was armoured. */
function armoured(of: StoreKey, value: unknown, what: string): string {
  const plain = isText(value) ? disarm(value) : undefined;
  if (plain !== undefined) return plain;
  throw damaged(of, what);
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
  reply: unknown,
  known?: Known,
): { readonly stamp: number; readonly record: SessionRecord } {
  const all = text(identifier, reply, "the row");
  const end = all.indexOf(afterEntry);
  const row = end < 0 ? all : all.slice(0, end);
  const [rev, createdAt, endsAt, accessedAt, timeoutMs, transactions, subject, authenticatedAt, rawStamp] = json(
    identifier,
    row,
    "the row",
    9,
  );
  const stamp = time(identifier, rawStamp, "the stamp");
  const record: SessionRecord = {
    identifier,
    rev: whole(identifier, rev, "the revision"),
    createdAt: time(identifier, createdAt, "the time of creation"),
    endsAt: time(identifier, endsAt, "the absolute end"),
    accessedAt: time(identifier, accessedAt, "the time of the last access"),
    timeoutMs: time(identifier, timeoutMs, "the timeout"),
    transactions: whole(identifier, transactions, "the count of transactions"),
    subject: subject === null ? null : text(identifier, subject, "the subject"),
    authenticatedAt: authenticatedAt === null ? null : time(identifier, authenticatedAt, "the time of authentication"),
    entries: end < 0 ? entriesOf(identifier, stamp, known) : toEntries(identifier, all.slice(end + afterEntry.length)),
  };
  return { stamp, record };
}

function entriesOf(of: StoreKey, stamp: number, known: Known | undefined): ReadonlyMap<string, Entry> {
  if (known?.stamp === stamp) return known.entries;
  throw damaged(of, "the entries");
}

function toEntries(of: StoreKey, texts: string): ReadonlyMap<string, Entry> {
  const entries = new Map<string, Entry>();
  if (texts === "") return entries;
  for (const one of texts.split(afterEntry)) {
    const [key, rev, writer, seq, value, ...others] = one.split(afterField);
    if (others.length > 0) throw damaged(of, "an entry");
    entries.set(armoured(of, key, "an entry's name"), {
      value: value === undefined ? null : armoured(of, value, "an entry's value"),
      rev: whole(of, toNumber(rev), "an entry's revision"),
      writer: armoured(of, writer, "an entry's writer"),
      seq: whole(of, toNumber(seq), "an entry's number"),
    });
  }
  return entries;
}

/** What `write` answers: how the commit went in, or the record that stands in its way. */
export type Outcome =
  | { readonly kind: "committed"; readonly rev: number; readonly prior: number; readonly transactions: number }
  | { readonly kind: "refused"; readonly record: SessionRecord | null };

export function toOutcome(key: StoreKey, rows: readonly Row[]): Outcome {
  const result = only(rows, "result", "the outcome of a commit");
  if (result === null) return { kind: "refused", record: null };
  if (!isText(result)) throw garbled("the outcome of a commit");
  if (result.startsWith("[")) return { kind: "refused", record: toRecord(key, result).record };
  const [rev, prior, transactions] = result.split(" ").map(Number);
  if (!isWhole(rev) || !isNumber(prior) || !isWhole(transactions)) throw garbled("the outcome of a commit");
  return { kind: "committed", rev, prior, transactions };
}

/** A page of at most `limit` sessions. */
export function toPage(rows: readonly Row[], limit: number): Page<SessionInfo> {
  const items = rows.slice(0, limit).map(toInfo);
  const last = items.at(-1);
  return rows.length > limit && last !== undefined ? { items, cursor: last.identifier } : { items };
}

function toInfo({ identifier: key, info }: Row): SessionInfo {
  const identifier = toKey(key);
  const [subject, createdAt, accessedAt, expiresAt, authenticatedAt, transactions, entries] = json(
    identifier,
    info,
    "the row",
    7,
  );
  const told: SessionInfo = {
    identifier,
    subject: subject === null ? null : text(identifier, subject, "the subject"),
    createdAt: time(identifier, createdAt, "the time of creation"),
    accessedAt: time(identifier, accessedAt, "the time of the last access"),
    expiresAt: time(identifier, expiresAt, "the expiry"),
    authenticatedAt: authenticatedAt === null ? null : time(identifier, authenticatedAt, "the time of authentication"),
    transactions: whole(identifier, transactions, "the count of transactions"),
  };
  return entries === null ? told : { ...told, entries: toValues(identifier, entries) };
}

function toValues(of: StoreKey, rows: unknown): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const row of list(of, rows, "the entries")) {
    const [name, value] = list(of, row, "an entry", 2);
    values.set(armoured(of, name, "an entry's name"), armoured(of, value, "an entry's value"));
  }
  return values;
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
      return [key, whole(key, toNumber(rev), "the revision")];
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
