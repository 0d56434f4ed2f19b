/**
 * The store contract: what `createSessions` asks of the place where sessions rest. A store only stores. Expiry, merging,
 * rotation and masking are decided before a commit reaches it; `storeLaws` of `catnap/testing` holds a store to every
 * sentence below.
 */

/**
 * A session's identifier. Keying by it rather than by the token means that a rotation moves nothing, that all of a
 * session lies in one place of a cluster, and that a session can be ended by whoever knows its public name. The tokens'
 * hashes are entries of the record and are checked by the reader.
 */
export type StoreKey = string;

/** One key of a session as it rests. */
export interface Entry {
  /** The encoded value; `null` is a tombstone: deleted, and remembered so that tabs learn of it. */
  readonly value: string | null;
  /** The revision that last wrote the entry. */
  readonly rev: number;
  /** Who last wrote it: `server`, or `profile/writer` of a tab. */
  readonly writer: string;
  /** The writer's number of that write; 0 for the server. */
  readonly seq: number;
}

/** A session as it rests. Times are epoch milliseconds. Immutable: a later write makes another record. */
export interface SessionRecord {
  readonly identifier: StoreKey;
  /** Rises by one with every commit; the first commit makes 1. */
  readonly rev: number;
  readonly createdAt: number;
  /** The end that no access postpones. */
  readonly endsAt: number;
  readonly accessedAt: number;
  readonly timeoutMs: number;
  readonly transactions: number;
  readonly subject: string | null;
  readonly authenticatedAt: number | null;
  /**
   * The app's values, and Catnap's own entries, whose names start with `~` (hashes of tokens, watermarks of writers).
   */
  readonly entries: ReadonlyMap<string, Entry>;
}

/** When the session expires: at its absolute end, or when its idle timeout has passed. */
export function expiresAt(record: Pick<SessionRecord, "endsAt" | "accessedAt" | "timeoutMs">): number {
  return Math.min(record.endsAt, record.accessedAt + record.timeoutMs);
}

/** What a commit does to one entry. */
export interface EntryChange {
  /** The encoded value; `null` leaves a tombstone; `undefined` removes the entry without a trace. */
  readonly value: string | null | undefined;
  readonly writer: string;
  readonly seq: number;
}

/** What one sleep sends to the store, applied as a whole or not at all. */
export interface Commit {
  /** The writer's clock; the session must expire later than this. */
  readonly now: number;
  /** Makes the session. Without it a commit never creates, revives or re-keys one; with it, a key that is taken, even by an expired session, refuses. */
  readonly create?: { readonly createdAt: number; readonly endsAt: number };
  /** The record takes the later of this and what it has. */
  readonly accessedAt: number;
  /** Added to the record's count. */
  readonly transactions: number;
  /** Absent: stays as it is. A creating commit carries it. */
  readonly timeoutMs?: number;
  readonly subject?: string;
  readonly authenticatedAt?: number;
  /** A record that `recall` gave, itself: refuses when anybody has committed since. Rejects with `INVALID_OPTION` for another. */
  readonly on?: SessionRecord;
  /** Entry revisions that must still hold, by key; 0: the entry must be absent (a tombstone has its own revision). */
  readonly expect: ReadonlyMap<string, number>;
  readonly changes: ReadonlyMap<string, EntryChange>;
}

/**
 * `ok`: the whole commit is in, at `rev`, and every later read by anyone sees it; after a commit `on` a record it may tell how
 * many `transactions` the session has by then, since others may have used it. Not `ok`: nothing was written, and `record` is
 * the session as it stands, so that the writer can try again without another read; `null` when it is dead.
 */
export type WriteResult =
  | { readonly ok: true; readonly rev: number; readonly transactions?: number }
  | { readonly ok: false; readonly record: SessionRecord | null };

/** A session was used without being changed. */
export interface Touch {
  readonly key: StoreKey;
  readonly accessedAt: number;
  readonly transactions: number;
}

/** What may be told of a session without its values. Times are epoch milliseconds. */
export interface SessionInfo {
  readonly identifier: StoreKey;
  readonly subject: string | null;
  readonly createdAt: number;
  readonly accessedAt: number;
  readonly expiresAt: number;
  readonly authenticatedAt: number | null;
  readonly transactions: number;
  /** Values of the entries that the query names, by name; those that are absent or tombstones are missing. Absent where it names none. */
  readonly entries?: ReadonlyMap<string, string>;
}

export interface Query {
  /** Only this subject's sessions. */
  readonly subject?: string;
  /** Names of entries whose values are wanted. No other entry's value is moved. */
  readonly entries?: readonly string[];
  /** Only sessions that expire at or before this time; without it, expired ones that were not swept yet are among the rest. */
  readonly expiredAt?: number;
  readonly cursor?: string;
  readonly limit: number;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** Pass it on for the next page; absent: this was the last. */
  readonly cursor?: string;
}

export type Unsubscribe = () => void;

/**
 * The contract. A subject is text that is well-formed (no lone surrogate) and holds no NUL: `write` and `find` reject any
 * other with `INVALID_OPTION`, since databases cut, replace or refuse it, each in a way of its own. Subjects that differ in
 * one code unit are two.
 *
 * A method that cannot reach the store rejects with `STORE_UNAVAILABLE`, one that finds it unusable
 * (a corrupt or read-only file, a newer version, a refused user) with `STORE_UNUSABLE`; neither leaves half a write. A
 * commit that was cut off by `STORE_UNAVAILABLE` on its way to a server may be in as a whole. What the store gives back
 * and cannot be read as a session is `STORE_UNUSABLE` too, with the session's identifier in the message; but `touch`, `find`
 * and `sweep` may pass by it, with a line on the console, so that one session does not hold up the others.
 */
export interface SessionStore {
  /** The record as the last commit left it, expired or not; `null` when there is none. */
  read(key: StoreKey): Promise<SessionRecord | null>;
  /**
   * The session as this process has read or written it last, without asking the database; `undefined`: it remembers nothing.
   * Others may have changed it since. A commit `on` it finds out, in one round trip where a read before it makes two. For
   * stores whose data is elsewhere.
   */
  recall?(key: StoreKey): SessionRecord | undefined;
  /**
   * One atomic step: writes `changes`, sets the other fields and raises the revision, if and only if the session lives
   * at `commit.now` (or is created), nobody has committed since `commit.on`, and every expectation holds. Writers of
   * unrelated keys never refuse each other, and the bytes moved are those of the changes, not of the session.
   */
  write(key: StoreKey, commit: Commit): Promise<WriteResult>;
  /** Raises access times (never lowers one) and adds to the counts; skips sessions that are gone or expired at that access. Changes no revision. */
  touch(touches: readonly Touch[]): Promise<void>;
  /** Ends a session and says whether it was there. With `ifExpiredAt`, only when it has expired by then. Deleting an absent one does nothing. */
  delete(key: StoreKey, ifExpiredAt?: number): Promise<boolean>;
  /** Pages through sessions in the order of their identifiers; each that exists throughout the walk comes exactly once. */
  find(query: Query): Promise<Page<SessionInfo>>;
  /** Removes sessions that expired at or before `now`, at most `limit` of them, and says how many. One that was touched meanwhile stays. */
  sweep(now: number, limit: number): Promise<number>;
  /**
   * Calls back after commits to the session by anyone, with the revision that it then has, and with 0 when it has ended.
   * Commits that come close together may be one call, and a call may come for nothing: whoever watches reads again.
   */
  watch?(key: StoreKey, listener: (rev: number) => void): Unsubscribe;
  /**
   * Takes on a task of the background that one process at a time should do: `true` when nobody else holds it, or `holder`
   * does already; it is the holder's for so many milliseconds from then on. 0 gives the task back, if it is the holder's.
   * A store that only one process uses has none.
   */
  lease?(task: string, holder: string, forMs: number): Promise<boolean>;
  /**
   * Whether a commit that was rejected may be there without being as safe as one that was not: then a change that is found
   * to be there already is acknowledged by one more commit, never by the look alone.
   */
  readonly confirms?: boolean;
  /** Ends what the store opened itself. Calls after it reject with `STORE_UNAVAILABLE`; closing twice does nothing. */
  close(): Promise<void>;
}
