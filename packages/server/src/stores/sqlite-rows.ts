import type { Entry, SessionInfo, SessionRecord } from "../store.ts";

// What the store's statements answer, as records and infos.

export interface SessionRow extends Omit<SessionRecord, "entries"> {
  readonly stamp: number;
  /** A JSON array of `[key, value, rev, writer, seq]`; `null`: the cached ones are still those of the file. */
  readonly entries: string | null;
}

/** What a commit has made of the session's row. */
export interface Committed {
  readonly rev: number;
  readonly stamp: number;
  readonly prior: number;
}

export function toCommitted(rows: unknown[]): Committed | undefined {
  // The statements return one array of three numbers, as JSON, or nothing.
  const [row] = rows as { committed: string }[];
  if (row === undefined) return undefined;
  const [rev, stamp, prior] = JSON.parse(row.committed) as [number, number, number];
  return { rev, stamp, prior };
}

export function toEntries(json: string): Map<string, Entry> {
  const entries = new Map<string, Entry>();
  // The statement built the array.
  const parsed = JSON.parse(json) as [string, string | null, number, string, number][];
  for (const [key, value, rev, writer, seq] of parsed) entries.set(key, { value, rev, writer, seq });
  return entries;
}

/** Numbers pass through `Number`, because an application's database may be set to answer with bigints. */
export function toRecord(row: SessionRow, entries: ReadonlyMap<string, Entry>): SessionRecord {
  return {
    identifier: row.identifier,
    rev: Number(row.rev),
    createdAt: Number(row.createdAt),
    endsAt: Number(row.endsAt),
    accessedAt: Number(row.accessedAt),
    timeoutMs: Number(row.timeoutMs),
    transactions: Number(row.transactions),
    subject: row.subject,
    authenticatedAt: row.authenticatedAt === null ? null : Number(row.authenticatedAt),
    entries,
  };
}

export function toInfo(row: SessionInfo): SessionInfo {
  return {
    identifier: row.identifier,
    subject: row.subject,
    createdAt: Number(row.createdAt),
    accessedAt: Number(row.accessedAt),
    expiresAt: Number(row.expiresAt),
    authenticatedAt: row.authenticatedAt === null ? null : Number(row.authenticatedAt),
    transactions: Number(row.transactions),
  };
}
