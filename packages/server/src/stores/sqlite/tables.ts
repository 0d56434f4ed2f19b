import { SessionError } from "@catnap/shared";
import type { EntryCache } from "../entry-cache.ts";
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
import type { Change } from "./commit-groups.ts";
import { all, encodingOf, prepare, type Row, type SqliteDatabase, transaction } from "./driver.ts";
import { mayComeOfContent } from "./errors.ts";
import { type Committed, rowReader, toRevision, unreadable } from "./rows.ts";
import { findStatement, sql } from "./statements.ts";

/** The contract over an open database of today's tables, as plain synchronous calls that throw what the driver throws. */
export interface SessionTables {
  read(key: StoreKey): SessionRecord | null;
  /** Writes all of these, or throws and writes none. */
  write(changes: readonly Change[]): WriteResult[];
  touch(touches: readonly Touch[]): void;
  delete(key: StoreKey, ifExpiredAt?: number): boolean;
  find(query: Query): Page<SessionInfo>;
  sweep(now: number, limit: number): number;
  lease(task: string, holder: string, now: number, forMs: number): boolean;
  version(): number;
  /** The revisions of these sessions, `null` where there is none to be read; those that are gone are missing. */
  revisions(keys: readonly StoreKey[]): ReadonlyMap<StoreKey, number | null>;
}

/** How many damaged sessions have a line on the console, at most: where there is one, there may be a million. */
const mostLines = 100;

/** Prepares the contract's statements on a database that `migrate` has seen, which messages call by its `name`. */
export function sessionTables(database: SqliteDatabase, name: string, cache: EntryCache): SessionTables {
  /** Damaged sessions of which there was a line already. */
  const told = new Set<StoreKey>();
  const rows = rowReader(name, encodingOf(database));
  // Results are taken with `all`, never with `get`: libsql's `get` leaves its statement open, and with it a read lock
  // that keeps the next transaction from starting.
  const read = prepare(database, sql.read);
  const create = prepare(database, sql.create);
  const commitFirst = prepare(database, sql.commit);
  const put = prepare(database, sql.put);
  const entryRev = prepare(database, sql.entryRev);
  const touch = prepare(database, sql.touch);
  const remove = prepare(database, sql.remove);
  const deleteAny = prepare(database, sql.delete);
  const deleteExpired = prepare(database, sql.deleteExpired);
  const sweep = prepare(database, sql.sweep);
  const version = prepare(database, "PRAGMA data_version");
  const revisions = prepare(database, sql.revisions);

  const tables: SessionTables = {
    read(key) {
      const cached = cache.get(key);
      const [row] = about(key, () => read.all(cached?.stamp ?? null, key));
      if (row === undefined) {
        cache.drop(key);
        return null;
      }
      const { stamp, fields, entries } = rows.session(key, row);
      const record = { ...fields, entries: entries ?? cached?.record.entries ?? new Map() };
      if (entries !== null || !cached) cache.set(key, stamp, record);
      return record;
    },

    write(changes) {
      const [change] = changes;
      const isOne = changes.length === 1 && change !== undefined && isOneStatement(change[1]);
      const apply = () => changes.map(([key, commit]) => about(key, () => applyAll(key, commit)));
      const written = isOne ? apply() : transaction(database, apply);
      // Only now, since a transaction may fail at its very end.
      return changes.map(([key, commit], i) => {
        // As many as there are changes.
        const outcome = written[i] as Committed | WriteResult;
        if ("ok" in outcome) return outcome;
        cache.advance(key, outcome, commit);
        return { ok: true, rev: outcome.rev };
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

    find(query) {
      const { text, parameters } = findStatement(query);
      const found = all(database, text, ...parameters, query.limit + 1);
      const items: SessionInfo[] = [];
      let last: StoreKey | undefined;
      for (const row of found.slice(0, query.limit)) {
        last = rows.identifier(row);
        const info = infoOf(last, row);
        if (info) items.push(info);
      }
      return found.length > query.limit && last !== undefined ? { items, cursor: last } : { items };
    },

    sweep: (now, limit) => changed(sweep.run(now, limit)),

    lease(task, holder, now, forMs) {
      if (forMs > 0) return all(database, sql.lease, task, holder, now, forMs).length === 1;
      return transaction(database, () => {
        prepare(database, sql.giveBack).run(task, holder);
        return all(database, sql.lessee, task, now).length === 0;
      });
    },

    version: () => Number(version.all()[0]?.data_version),

    revisions(keys) {
      const found = new Map<StoreKey, number | null>();
      for (const row of revisions.all(JSON.stringify(keys))) found.set(String(row.identifier), toRevision(row));
      return found;
    },
  };

  /** Runs what concerns one session, and names the session where it fails over what its row holds. */
  function about<T>(key: StoreKey, action: () => T): T {
    try {
      return action();
    } catch (error) {
      if (mayComeOfContent(error) && isDamaged(key)) throw unreadable(name, key, error);
      throw error;
    }
  }

  /** One that is damaged is left out, with a line on the console, so that it does not hold up those who list or sweep the others. */
  function infoOf(key: StoreKey, row: Row): SessionInfo | null {
    try {
      return rows.info(key, row);
    } catch (error) {
      if (!(error instanceof SessionError)) throw error;
      if (!told.has(key) && told.size < mostLines) {
        told.add(key);
        console.warn(`catnap: ${error.message}`);
      }
      return null;
    }
  }

  function isDamaged(key: StoreKey): boolean {
    try {
      return all(database, sql.damaged, key).length > 0;
    } catch {
      // The error that led here is told, and says more: the table is missing, for example.
      return false;
    }
  }

  function applyAll(key: StoreKey, commit: Commit): Committed | WriteResult {
    const first = firstChange(commit);
    if (!holds(key, commit)) return refusal(key, commit);
    const written = commit.create === undefined ? applyFirst(key, commit, first) : createSession(key, commit);
    if (written === undefined) return commit.create ? refusal(key, commit) : { ok: false, record: null };
    if (commit.create === undefined && (commit.subject !== undefined || commit.authenticatedAt !== undefined)) {
      prepare(database, sql.bind).run(commit.subject ?? null, commit.authenticatedAt ?? null, key);
    }
    for (const [entry, { value, writer, seq }] of commit.changes) {
      if (commit.create === undefined && entry === first) continue;
      if (value === undefined) remove.run(key, entry);
      else put.run(entry, value, writer, seq, key);
    }
    return written;
  }

  /** Checks that the session lives, raises its revision and applies one change, in one statement; `undefined`: it does not live. */
  function applyFirst(key: StoreKey, commit: Commit, first: string | undefined): Committed | undefined {
    const change = first === undefined ? undefined : commit.changes.get(first);
    const [row] = commitFirst.all(
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
    return row && rows.committed(key, row);
  }

  function createSession(key: StoreKey, commit: Commit): Committed | undefined {
    const { createdAt, endsAt } = commit.create ?? { createdAt: commit.now, endsAt: commit.now };
    const [row] = create.all(
      key,
      createdAt,
      endsAt,
      commit.accessedAt,
      commit.timeoutMs ?? 0,
      commit.transactions,
      commit.subject ?? null,
      commit.authenticatedAt ?? null,
    );
    return row && rows.committed(key, row);
  }

  function holds(key: StoreKey, commit: Commit): boolean {
    for (const [entry, expected] of commit.expect) {
      // One that is no number is not the expected one either.
      if (Number(entryRev.all(key, entry)[0]?.rev ?? 0) !== expected) return false;
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
function isOneStatement(commit: Commit): boolean {
  const first = firstChange(commit);
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
