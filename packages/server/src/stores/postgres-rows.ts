import type { Commit, Entry, Page, Query, SessionInfo, SessionRecord, StoreKey, Touch } from "../store.ts";

// What the store's statements take and answer: the parameters of each, and records and pages made of its rows.

/** Which of the statements finds what is asked for, and its parameters, all but the last. */
export function findParameters({ subject, expiredAt, cursor = "" }: Query): {
  name: "find" | "findExpired" | "findOfSubject" | "findExpiredOfSubject";
  values: unknown[];
} {
  if (subject === undefined) {
    return expiredAt === undefined
      ? { name: "find", values: [cursor] }
      : { name: "findExpired", values: [cursor, expiredAt] };
  }
  return expiredAt === undefined
    ? { name: "findOfSubject", values: [cursor, armour(subject)] }
    : { name: "findExpiredOfSubject", values: [cursor, expiredAt, armour(subject)] };
}

/** A text as the database keeps it: PostgreSQL's have no NUL, so an escape character stands for it, and for itself. */
function armour(text: string): string {
  if (!text.includes("\0") && !text.includes("\u0001")) return text;
  return text.replaceAll("\u0001", "\u0001.").replaceAll("\0", "\u00010");
}

function disarm(text: string): string {
  if (!text.includes("\u0001")) return text;
  return text.replaceAll("\u00010", "\0").replaceAll("\u0001.", "\u0001");
}

/** The parameters of `write` in their order, all but the last three. Empty lists are `null`, which spares the database the look. */
export function commitParameters(key: StoreKey, commit: Commit): unknown[] {
  const { create, expect, changes } = commit;
  const [keys, values, writers, seqs, gone]: [string[], (string | null)[], string[], number[], string[]] = [
    [],
    [],
    [],
    [],
    [],
  ];
  for (const [name, { value, writer, seq }] of changes) {
    if (value === undefined) {
      gone.push(armour(name));
      continue;
    }
    keys.push(armour(name));
    values.push(value === null ? null : armour(value));
    writers.push(armour(writer));
    seqs.push(seq);
  }
  const some = keys.length > 0;
  return [
    key,
    commit.now,
    create?.createdAt ?? null,
    create?.endsAt ?? null,
    commit.accessedAt,
    commit.transactions,
    commit.timeoutMs ?? null,
    commit.subject === undefined ? null : armour(commit.subject),
    commit.authenticatedAt ?? null,
    expect.size > 0 ? Array.from(expect.keys(), armour) : null,
    expect.size > 0 ? [...expect.values()] : null,
    some ? keys : null,
    some ? values : null,
    some ? writers : null,
    some ? seqs : null,
    gone.length > 0 ? gone : null,
  ];
}

/** The parameters of `touch` in their order, all but the last. */
export function touchParameters(touches: readonly Touch[]): unknown[] {
  return [
    touches.map(({ key }) => key),
    touches.map(({ accessedAt }) => accessedAt),
    touches.map(({ transactions }) => transactions),
  ];
}

/** A record and the stamp of its entries, which are the `known` ones where the database has sent none. */
export function toRecord(
  identifier: StoreKey,
  json: string,
  known: ReadonlyMap<string, Entry> = new Map(),
): { stamp: number; record: SessionRecord } {
  // The expression of `recordOf` built the array.
  const [rev, createdAt, endsAt, accessedAt, timeoutMs, transactions, subject, authenticatedAt, stamp, rows] =
    JSON.parse(json) as [
      number,
      number,
      number,
      number,
      number,
      number,
      string | null,
      number | null,
      number,
      [string, string | null, number, string, number][] | null,
    ];
  const record = (entries: ReadonlyMap<string, Entry>): SessionRecord => ({
    identifier,
    rev,
    createdAt,
    endsAt,
    accessedAt,
    timeoutMs,
    transactions,
    subject: subject === null ? null : disarm(subject),
    authenticatedAt,
    entries,
  });
  if (rows === null) return { stamp, record: record(known) };
  const entries = new Map<string, Entry>();
  for (const [key, value, rev, writer, seq] of rows) {
    entries.set(disarm(key), { value: value === null ? null : disarm(value), rev, writer: disarm(writer), seq });
  }
  return { stamp, record: record(entries) };
}

export function toPage(rows: readonly { info: string }[], limit: number): Page<SessionInfo> {
  const items = rows.slice(0, limit).map(toInfo);
  const last = items.at(-1);
  return rows.length > limit && last !== undefined ? { items, cursor: last.identifier } : { items };
}

function toInfo({ info }: { info: string }): SessionInfo {
  // The expression of `statements` built the array.
  const [identifier, subject, createdAt, accessedAt, expiresAt, authenticatedAt, transactions] = JSON.parse(info) as [
    string,
    string | null,
    number,
    number,
    number,
    number | null,
    number,
  ];
  return {
    identifier,
    subject: subject === null ? null : disarm(subject),
    createdAt,
    accessedAt,
    expiresAt,
    authenticatedAt,
    transactions,
  };
}
