import {
  type Commit,
  type Entry,
  expiresAt,
  type Page,
  type Query,
  type SessionInfo,
  type SessionRecord,
  type StoreKey,
  type Touch,
  type WriteResult,
} from "../store.ts";
import { all, type SqliteDatabase, transaction } from "./sqlite-driver.ts";
import { expiry } from "./sqlite-schema.ts";

/** The contract over an open database of today's tables, as plain synchronous calls that throw what the driver throws. */
export interface SessionTables {
  read(key: StoreKey): SessionRecord | null;
  write(key: StoreKey, commit: Commit): WriteResult;
  touch(touches: readonly Touch[]): void;
  delete(key: StoreKey, ifExpiredAt?: number): boolean;
  find(query: Query): Page<SessionInfo>;
  sweep(now: number, limit: number): number;
}

interface SessionRow extends Omit<SessionRecord, "entries"> {
  /** A JSON array of `[key, value, rev, writer, seq]`. */
  readonly entries: string;
}

// Results are taken with `all`, never with `get`: libsql's `get` leaves its statement open, and with it a read lock
// that keeps the next transaction from starting.
const sql = {
  // One row with the entries as JSON: a third of the price of a row per entry, consistent without a transaction, and
  // safe for a NUL in a text, at which libsql cuts a column.
  read: `
    SELECT identifier, rev, created_at AS createdAt, ends_at AS endsAt, accessed_at AS accessedAt,
      timeout_ms AS timeoutMs, transactions, subject, authenticated_at AS authenticatedAt,
      (SELECT json_group_array(json_array(key, value, rev, writer, seq)) FROM catnap_entry WHERE session = id) AS entries
    FROM catnap_session WHERE identifier = ?`,
  create: `
    INSERT INTO catnap_session
      (identifier, rev, created_at, ends_at, accessed_at, timeout_ms, due_at, transactions, subject, authenticated_at)
    VALUES (?1, 1, ?2, ?3, ?4, ?5, min(?3, ?4 + ?5), ?6, ?7, ?8)
    ON CONFLICT DO NOTHING RETURNING id, rev`,
  commit: `
    INSERT INTO catnap_commit (identifier, now, accessed_at, transactions, timeout_ms, key, value, writer, seq)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
    RETURNING (SELECT rev FROM catnap_session WHERE identifier = ?1) AS rev`,
  find: `
    SELECT identifier, subject, created_at AS createdAt, accessed_at AS accessedAt, ${expiry} AS expiresAt,
      authenticated_at AS authenticatedAt, transactions
    FROM catnap_session`,
  entryRev: `
    SELECT e.rev FROM catnap_session s JOIN catnap_entry e ON e.session = s.id WHERE s.identifier = ? AND e.key = ?`,
  bind: `
    UPDATE catnap_session SET subject = coalesce(?, subject), authenticated_at = coalesce(?, authenticated_at)
    WHERE identifier = ?`,
  put: `
    INSERT INTO catnap_entry (session, key, value, rev, writer, seq)
    SELECT id, ?, ?, rev, ?, ? FROM catnap_session WHERE identifier = ?
    ON CONFLICT DO UPDATE SET value = excluded.value, rev = excluded.rev, writer = excluded.writer, seq = excluded.seq`,
  remove: `
    DELETE FROM catnap_entry WHERE session = (SELECT id FROM catnap_session WHERE identifier = ?) AND key = ?`,
  touch: `
    UPDATE catnap_session SET accessed_at = max(accessed_at, ?1), transactions = transactions + ?2
    WHERE identifier = ?3 AND ${expiry} > ?1`,
  delete: "DELETE FROM catnap_session WHERE identifier = ?",
  deleteExpired: `DELETE FROM catnap_session WHERE identifier = ? AND ${expiry} <= ?`,
  sweep: `
    DELETE FROM catnap_session WHERE id IN (
      SELECT id FROM catnap_session WHERE due_at <= ?1 AND ${expiry} <= ?1 ORDER BY due_at LIMIT ?2)`,
};

/** Prepares the contract's statements on a database that `migrate` has seen. */
export function sessionTables(database: SqliteDatabase): SessionTables {
  const read = database.prepare(sql.read);
  const create = database.prepare(sql.create);
  const commitFirst = database.prepare(sql.commit);
  const put = database.prepare(sql.put);
  const entryRev = database.prepare(sql.entryRev);
  const touch = database.prepare(sql.touch);
  const remove = database.prepare(sql.remove);
  const deleteAny = database.prepare(sql.delete);
  const deleteExpired = database.prepare(sql.deleteExpired);
  const sweep = database.prepare(sql.sweep);

  const tables: SessionTables = {
    read(key) {
      // The statement selects the fields of `SessionRow`.
      const row = read.all(key)[0] as SessionRow | undefined;
      return row === undefined ? null : toRecord(row);
    },

    write(key, commit) {
      const first = firstChange(commit);
      if (isOneStatement(commit, first)) {
        const rev = applyFirst(key, commit, first);
        return rev === undefined ? { ok: false, record: null } : { ok: true, rev };
      }
      return transaction(database, () => {
        if (!holds(key, commit)) return refusal(key, commit);
        const rev = commit.create === undefined ? applyFirst(key, commit, first) : createSession(key, commit);
        if (rev === undefined) return refusal(key, commit);
        if (commit.create === undefined && (commit.subject !== undefined || commit.authenticatedAt !== undefined)) {
          database.prepare(sql.bind).run(commit.subject ?? null, commit.authenticatedAt ?? null, key);
        }
        for (const [name, { value, writer, seq }] of commit.changes) {
          if (commit.create === undefined && name === first) continue;
          if (value === undefined) remove.run(key, name);
          else put.run(name, value, writer, seq, key);
        }
        return { ok: true, rev };
      });
    },

    touch(touches) {
      const apply = () => {
        for (const { key, accessedAt, transactions } of touches) touch.run(accessedAt, transactions, key);
      };
      if (touches.length < 2) apply();
      else transaction(database, apply);
    },

    delete(key, ifExpiredAt) {
      return changed(ifExpiredAt === undefined ? deleteAny.run(key) : deleteExpired.run(key, ifExpiredAt)) > 0;
    },

    find({ subject, expiredAt, cursor = "", limit }) {
      // Told nothing, SQLite would walk through all identifiers, in their order, to find the few that have expired.
      const index = subject === undefined && expiredAt !== undefined ? "INDEXED BY catnap_session_due" : "";
      const where = ["identifier > ?"];
      const parameters: (string | number)[] = [cursor];
      if (subject !== undefined) {
        where.push("subject = ?");
        parameters.push(subject);
      }
      if (expiredAt !== undefined) {
        where.push("due_at <= ?", `${expiry} <= ?`);
        parameters.push(expiredAt, expiredAt);
      }
      const query = `${sql.find} ${index} WHERE ${where.join(" AND ")} ORDER BY identifier LIMIT ?`;
      const rows = all<SessionInfo>(database, query, ...parameters, limit + 1);
      const items = rows.slice(0, limit).map(toInfo);
      const last = items.at(-1);
      return rows.length > limit && last !== undefined ? { items, cursor: last.identifier } : { items };
    },

    sweep: (now, limit) => changed(sweep.run(now, limit)),
  };

  /** Checks that the session lives, raises its revision and applies one change, in one statement; `undefined`: it does not live. */
  function applyFirst(key: StoreKey, commit: Commit, first: string | undefined): number | undefined {
    const change = first === undefined ? undefined : commit.changes.get(first);
    const rows = commitFirst.all(
      key,
      commit.now,
      commit.accessedAt,
      commit.transactions,
      commit.timeoutMs ?? null,
      first ?? null,
      change?.value ?? null,
      change?.writer ?? "",
      change?.seq ?? 0,
    ) as { rev: number }[]; // The statement returns a revision or nothing.
    return rows[0] && Number(rows[0].rev);
  }

  function createSession(key: StoreKey, commit: Commit): number | undefined {
    const { createdAt, endsAt } = commit.create ?? { createdAt: commit.now, endsAt: commit.now };
    const rows = create.all(
      key,
      createdAt,
      endsAt,
      commit.accessedAt,
      commit.timeoutMs ?? 0,
      commit.transactions,
      commit.subject ?? null,
      commit.authenticatedAt ?? null,
    );
    return rows.length === 0 ? undefined : 1;
  }

  function holds(key: StoreKey, commit: Commit): boolean {
    for (const [name, expected] of commit.expect) {
      // The statement selects a revision or nothing.
      const row = entryRev.all(key, name)[0] as { rev: number } | undefined;
      if (Number(row?.rev ?? 0) !== expected) return false;
    }
    return true;
  }

  function refusal(key: StoreKey, commit: Commit): WriteResult {
    const record = tables.read(key);
    return { ok: false, record: record !== null && expiresAt(record) > commit.now ? record : null };
  }

  return tables;
}

/** The name of the change that goes along with the session's own row: any but a removal. */
function firstChange(commit: Commit): string | undefined {
  for (const [name, change] of commit.changes) if (change.value !== undefined) return name;
  return undefined;
}

/** Whether a commit needs no more than `applyFirst`, which is then a transaction of its own. */
function isOneStatement(commit: Commit, first: string | undefined): boolean {
  return (
    commit.create === undefined &&
    commit.subject === undefined &&
    commit.authenticatedAt === undefined &&
    commit.expect.size === 0 &&
    commit.changes.size === (first === undefined ? 0 : 1)
  );
}

/** How many rows a statement changed, triggers not counted. */
function changed(result: unknown): number {
  return Number((result as { changes: number | bigint }).changes); // Every driver's `run` answers so.
}

/** Numbers pass through `Number`, because an application's database may be set to answer with bigints. */
function toRecord(row: SessionRow): SessionRecord {
  const entries = new Map<string, Entry>();
  // The statement built the array.
  const parsed = JSON.parse(row.entries) as [string, string | null, number, string, number][];
  for (const [key, value, rev, writer, seq] of parsed) entries.set(key, { value, rev, writer, seq });
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

function toInfo(row: SessionInfo): SessionInfo {
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
