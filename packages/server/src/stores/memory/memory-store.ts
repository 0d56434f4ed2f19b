import { SessionError } from "@catnap/shared";
import { known, whole } from "../../option-checks.ts";
import { withChanges } from "../entries.ts";
import {
  type Commit,
  expiresAt,
  type SessionInfo,
  type SessionRecord,
  type SessionStore,
  type StoreKey,
} from "../store.ts";
import { assertSubjectText } from "../subject-text.ts";
import { MemoryRecords } from "./records.ts";

/** Options of `memoryStore`. */
export interface MemoryStoreOptions {
  /**
   * How many sessions to hold, 100,000 by default. For one more a visitor's session ends, that of somebody who has logged in
   * only where there is no other; of several the one that was not read or written for longest. The first time that a living
   * one ends so, a line on `console.warn` says it.
   */
  maxSessions?: number;
}

type Listener = (rev: number) => void;

/**
 * Keeps sessions in this process: gone when it ends, unknown to any other. For tests, development and servers that may
 * forget. Throws `INVALID_OPTION` unless `maxSessions` is a whole number from 1.
 */
export function memoryStore(options: MemoryStoreOptions = {}): SessionStore {
  known("memoryStore", options, ["maxSessions"]);
  const { maxSessions = 100_000 } = options;
  whole("memoryStore: maxSessions", maxSessions);

  const records = new MemoryRecords();
  const listeners = new Map<StoreKey, Set<Listener>>();
  let closed = false;
  let hasWarned = false;

  function assertOpen() {
    if (closed) throw new SessionError("STORE_UNAVAILABLE", "This memoryStore is closed: make another one");
  }

  function end(key: StoreKey) {
    if (records.delete(key)) tell(key, 0);
  }

  /** Ends a session if there is one too many. */
  function makeRoom(now: number, written: StoreKey) {
    const next = records.size > maxSessions ? records.next(now, written) : undefined;
    if (!next) return;
    end(next.identifier);
    if (hasWarned || expiresAt(next) <= now) return;
    hasWarned = true;
    console.warn(
      `catnap: memoryStore holds maxSessions, ${maxSessions}, and from now on ends living sessions for new ones: raise maxSessions, or keep sessions in sqliteStore`,
    );
  }

  /** Each listener has a microtask of its own: one that throws harms neither the writer nor its neighbours. */
  function tell(key: StoreKey, rev: number) {
    for (const listener of listeners.get(key) ?? []) queueMicrotask(() => listener(rev));
  }

  return {
    async read(key) {
      assertOpen();
      const record = records.get(key);
      if (record === undefined) return null;
      records.keep(record);
      return record;
    },

    async write(key, commit) {
      assertOpen();
      if (commit.subject !== undefined) assertSubjectText(commit.subject);
      const present = records.get(key);
      const alive = present !== undefined && expiresAt(present) > commit.now;
      const allowed = commit.create === undefined ? alive : present === undefined;
      if (!allowed || !holds(commit, present)) return { ok: false, record: alive ? present : null };
      const record = apply(key, commit, present);
      records.keep(record);
      makeRoom(commit.now, key);
      tell(key, record.rev);
      return { ok: true, rev: record.rev };
    },

    async touch(touches) {
      assertOpen();
      for (const { key, accessedAt, transactions } of touches) {
        const record = records.get(key);
        if (record === undefined || expiresAt(record) <= accessedAt) continue;
        records.keep({
          ...record,
          accessedAt: Math.max(record.accessedAt, accessedAt),
          transactions: record.transactions + transactions,
        });
      }
    },

    async delete(key, ifExpiredAt) {
      assertOpen();
      const record = records.get(key);
      if (record === undefined) return false;
      if (ifExpiredAt !== undefined && expiresAt(record) > ifExpiredAt) return false;
      end(key);
      return true;
    },

    async find({ subject, expiredAt, entries = [], cursor = "", limit }) {
      assertOpen();
      if (subject !== undefined) assertSubjectText(subject);
      const found = records.lowest(limit + 1, (record) => {
        if (record.identifier <= cursor) return false;
        if (subject !== undefined && record.subject !== subject) return false;
        return expiredAt === undefined || expiresAt(record) <= expiredAt;
      });
      const items = found.slice(0, limit).map((record) => toInfo(record, entries));
      const last = items.at(-1);
      return found.length > limit && last !== undefined ? { items, cursor: last.identifier } : { items };
    },

    async sweep(now, limit) {
      assertOpen();
      let swept = 0;
      records.each((record) => {
        if (swept >= limit) return false;
        if (expiresAt(record) <= now) {
          end(record.identifier);
          swept++;
        }
        return true;
      });
      return swept;
    },

    watch(key, listener) {
      assertOpen();
      const watching = listeners.get(key) ?? new Set();
      listeners.set(key, watching);
      // Wrapped, so that a function that watches twice is called twice and leaves one by one.
      const own: Listener = (rev) => listener(rev);
      watching.add(own);
      return () => {
        watching.delete(own);
        if (watching.size === 0 && listeners.get(key) === watching) listeners.delete(key);
      };
    },

    async close() {
      closed = true;
      records.clear();
      listeners.clear();
    },
  };
}

function holds(commit: Commit, present: SessionRecord | undefined): boolean {
  for (const [key, rev] of commit.expect) {
    if ((present?.entries.get(key)?.rev ?? 0) !== rev) return false;
  }
  return true;
}

/** A new record with new entries, so that readers keep the snapshot that they have. */
function apply(key: StoreKey, commit: Commit, present: SessionRecord | undefined): SessionRecord {
  const rev = (present?.rev ?? 0) + 1;
  return {
    identifier: key,
    rev,
    createdAt: present?.createdAt ?? commit.create?.createdAt ?? commit.now,
    endsAt: present?.endsAt ?? commit.create?.endsAt ?? commit.now,
    accessedAt: Math.max(present?.accessedAt ?? commit.accessedAt, commit.accessedAt),
    timeoutMs: commit.timeoutMs ?? present?.timeoutMs ?? 0,
    transactions: (present?.transactions ?? 0) + commit.transactions,
    subject: commit.subject ?? present?.subject ?? null,
    authenticatedAt: commit.authenticatedAt ?? present?.authenticatedAt ?? null,
    entries: withChanges(present?.entries ?? new Map(), commit.changes, rev),
  };
}

function toInfo(record: SessionRecord, names: readonly string[]): SessionInfo {
  const { identifier, subject, createdAt, accessedAt, authenticatedAt, transactions } = record;
  const info = {
    identifier,
    subject,
    createdAt,
    accessedAt,
    expiresAt: expiresAt(record),
    authenticatedAt,
    transactions,
  };
  if (names.length === 0) return info;
  const entries = new Map<string, string>();
  for (const name of names) {
    const value = record.entries.get(name)?.value;
    if (value != null) entries.set(name, value);
  }
  return { ...info, entries };
}
