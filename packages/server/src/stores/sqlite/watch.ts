import { type Cancel, every } from "@catnap/shared";
import type { StoreKey, Unsubscribe } from "../store.ts";

type Listener = (rev: number) => void;

/** How often to ask whether another process has committed, in milliseconds: one pragma, and only while somebody listens. */
const intervalMs = 200;

/** What the watch asks of the database. */
export interface WatchedTables {
  /** A number that differs whenever another connection has committed. */
  version(): number;
  /** The revisions of these sessions, `null` where there is none to be read; those that are gone are missing. */
  revisions(keys: readonly StoreKey[]): ReadonlyMap<StoreKey, number | null>;
}

/**
 * Tells listeners of commits: at once of those of this store, which reports them, and of other processes' when a look at
 * the file shows that somebody has written. SQLite itself tells nobody.
 */
export class SqliteWatch {
  readonly #visit: (look: (tables: WatchedTables) => void) => Promise<void>;
  readonly #listeners = new Map<StoreKey, Set<Listener>>();
  /** The revision that was told last. */
  readonly #told = new Map<StoreKey, number>();
  #version: number | undefined;
  #stop: Cancel | undefined;
  #isLooking = false;
  /** Whether somebody was told that looks fail; once until one succeeds. */
  #hasWarned = false;

  /** `visit` calls back with the open tables. */
  constructor(visit: (look: (tables: WatchedTables) => void) => Promise<void>) {
    this.#visit = visit;
  }

  add(key: StoreKey, listener: Listener): Unsubscribe {
    const listeners = this.#listeners.get(key) ?? new Set();
    this.#listeners.set(key, listeners);
    // Wrapped, so that a function that watches twice is called twice and leaves one by one.
    const own: Listener = (rev) => listener(rev);
    listeners.add(own);
    // What happens before the next look is found by it, because nothing is known of the new key.
    this.#version = undefined;
    this.#stop ??= every(intervalMs, () => void this.#visitOnce());
    return () => {
      listeners.delete(own);
      if (listeners.size > 0 || this.#listeners.get(key) !== listeners) return;
      this.#listeners.delete(key);
      this.#told.delete(key);
      if (this.#listeners.size === 0) this.stop();
    };
  }

  /** A look that fails is followed by another, and no look by a second while it waits for a lock. */
  async #visitOnce(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      await this.#visit((tables) => this.look(tables));
      this.#hasWarned = false;
    } catch (error) {
      // The store was closed while the look was under way.
      if (this.#stop === undefined || this.#hasWarned) return;
      this.#hasWarned = true;
      // Nobody has asked for the look, so there is no call that could reject.
      console.warn(
        `catnap: live updates from other processes pause: ${error instanceof Error ? error.message : error}`,
      );
    } finally {
      this.#isLooking = false;
    }
  }

  /** A commit of this store. Each listener has a microtask of its own: one that throws harms neither the writer nor its neighbours. */
  tell(key: StoreKey, rev: number): void {
    const listeners = this.#listeners.get(key);
    if (!listeners || this.#told.get(key) === rev) return;
    this.#told.set(key, rev);
    for (const listener of listeners) queueMicrotask(() => listeners.has(listener) && listener(rev));
  }

  /** Tells of commits that nobody has reported; `all`: although no other connection has written. Synchronous, so that no commit of ours comes in between. */
  look(tables: WatchedTables, all = false): void {
    if (this.#listeners.size === 0) return;
    const version = tables.version();
    if (version === this.#version && !all) return;
    const keys = [...this.#listeners.keys()];
    const revisions = tables.revisions(keys);
    // Only now: what a look that failed has not seen is there for the next one.
    this.#version = version;
    for (const key of keys) {
      const rev = revisions.get(key);
      // A session that cannot be read has not ended, and whoever reads it is told what is wrong.
      if (rev !== null) this.tell(key, rev ?? 0);
    }
  }

  /** Another file has come in place of the one before: what was told of that is nothing to go by, and the next look tells all. */
  restart(): void {
    this.#told.clear();
    this.#version = undefined;
  }

  stop(): void {
    this.#stop?.();
    this.#stop = undefined;
  }
}
