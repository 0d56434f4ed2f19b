import {
  type Commit,
  expiresAt,
  type Page,
  type Query,
  type SessionInfo,
  type SessionRecord,
  type StoreKey,
  type Touch,
  type WriteResult,
} from "../store.ts";
import type { EntryCache } from "./entry-cache.ts";
import { all, type SqliteDatabase, transaction } from "./sqlite-driver.ts";
import { type Committed, type SessionRow, toCommitted, toEntries, toInfo, toRecord } from "./sqlite-rows.ts";
import { expiry } from "./sqlite-schema.ts";
import { sql } from "./sqlite-statements.ts";

/** The contract over an open database of today's tables, as plain synchronous calls that throw what the driver throws. */
export interface SessionTables {
  read(key: StoreKey): SessionRecord | null;
  write(key: StoreKey, commit: Commit): WriteResult;
  touch(touches: readonly Touch[]): void;
  delete(key: StoreKey, ifExpiredAt?: number): boolean;
  find(query: Query): Page<SessionInfo>;
  sweep(now: number, limit: number): number;
  version(): number;
  revisions(keys: readonly StoreKey[]): ReadonlyMap<StoreKey, number>;
}

/** Prepares the contract's statements on a database that `migrate` has seen. */
export function sessionTables(database: SqliteDatabase, cache: EntryCache): SessionTables {
  // Results are taken with `all`, never with `get`: libsql's `get` leaves its statement open, and with it a read lock
  // that keeps the next transaction from starting.
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
  const version = database.prepare("PRAGMA data_version");
  const revisions = database.prepare(sql.revisions);

  const tables: SessionTables = {
    read(key) {
      // The statement selects the fields of `SessionRow`.
      const cached = cache.get(key);
      const row = read.all(key, cached?.stamp ?? null)[0] as SessionRow | undefined;
      if (row === undefined) {
        cache.drop(key);
        return null;
      }
      if (cached && row.entries === null) return toRecord(row, cached.entries);
      const entries = toEntries(row.entries ?? "[]");
      cache.set(key, Number(row.stamp), entries);
      return toRecord(row, entries);
    },

    write(key, commit) {
      const first = firstChange(commit);
      const written = isOneStatement(commit, first)
        ? (applyFirst(key, commit, first) ?? { ok: false as const, record: null })
        : transaction(database, () => applyAll(key, commit, first));
      if ("ok" in written) return written;
      // Only now, since a transaction may fail at its very end.
      cache.advance(key, written, commit.changes);
      return { ok: true, rev: written.rev };
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

    // The pragma and the statement select what is read of them.
    version: () => Number((version.all()[0] as { data_version: number }).data_version),

    revisions: (keys) =>
      new Map(
        (revisions.all(JSON.stringify(keys)) as { identifier: string; rev: number }[]).map(({ identifier, rev }) => [
          identifier,
          Number(rev),
        ]),
      ),
  };

  function applyAll(key: StoreKey, commit: Commit, first: string | undefined): Committed | WriteResult {
    if (!holds(key, commit)) return refusal(key, commit);
    const written = commit.create === undefined ? applyFirst(key, commit, first) : createSession(key, commit);
    if (written === undefined) return refusal(key, commit);
    if (commit.create === undefined && (commit.subject !== undefined || commit.authenticatedAt !== undefined)) {
      database.prepare(sql.bind).run(commit.subject ?? null, commit.authenticatedAt ?? null, key);
    }
    for (const [name, { value, writer, seq }] of commit.changes) {
      if (commit.create === undefined && name === first) continue;
      if (value === undefined) remove.run(key, name);
      else put.run(name, value, writer, seq, key);
    }
    return written;
  }

  /** Checks that the session lives, raises its revision and applies one change, in one statement; `undefined`: it does not live. */
  function applyFirst(key: StoreKey, commit: Commit, first: string | undefined): Committed | undefined {
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
    );
    return toCommitted(rows);
  }

  function createSession(key: StoreKey, commit: Commit): Committed | undefined {
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
    return toCommitted(rows);
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
