import { randomInt } from "node:crypto";
import { invalid } from "../option-checks.ts";
import { committed } from "./entries.ts";
import type { Commit, SessionRecord, StoreKey } from "./store.ts";

/** A session as one commit left it. */
interface Cached {
  /** The commit's own mark in the store. */
  readonly stamp: number;
  /** Its access time and count may be behind: other processes' uses of the session leave no mark. */
  readonly record: SessionRecord;
  readonly bytes: number;
}

/** A stamp for a commit, of eight characters in base 36 at most. */
export function freshStamp(): number {
  return randomInt(1, 36 ** 8);
}

/** What an entry costs in memory besides its text, roughly. */
const overhead = 120;

/**
 * Sessions that were read or written lately, so that a read whose stamp shows that nothing has changed need not build and
 * parse their entries again, and a commit may be planned on what is known. A stamp is random and new with every commit:
 * another process's write, or a database restored from a backup, is never taken for what is cached, even where the revisions
 * are the same.
 */
export class EntryCache {
  readonly #limit: number;
  /** In the order of last use, because a Map keeps the order of insertion. */
  readonly #cached = new Map<StoreKey, Cached>();
  #bytes = 0;

  /** Holds about so many bytes. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get(key: StoreKey): Cached | undefined {
    const cached = this.#cached.get(key);
    if (!cached) return undefined;
    this.#cached.delete(key);
    this.#cached.set(key, cached);
    return cached;
  }

  set(key: StoreKey, stamp: number, record: SessionRecord): void {
    const known = this.#cached.get(key);
    let bytes = overhead;
    // Entries that are known were counted when they came.
    if (known?.record.entries === record.entries) ({ bytes } = known);
    else for (const [name, { value }] of record.entries) bytes += sizeOf(name, value);
    this.#keep(key, { stamp, record, bytes });
  }

  /** What is known of a session, for a commit `on` it. */
  recall(key: StoreKey): SessionRecord | undefined {
    const cached = this.#cached.get(key);
    if (cached) stamps.set(cached.record, cached.stamp);
    return cached?.record;
  }

  /** Goes along with a commit of this store, unless another came between it and what is cached. */
  advance(key: StoreKey, { stamp, prior, rev }: { stamp: number; prior: number; rev: number }, commit: Commit): void {
    const cached = this.#cached.get(key);
    if (!cached) return;
    if (cached.stamp !== prior) return this.drop(key);
    let { bytes } = cached;
    for (const [name, { value }] of commit.changes) {
      const before = cached.record.entries.get(name);
      if (before) bytes -= sizeOf(name, before.value);
      if (value !== undefined) bytes += sizeOf(name, value);
    }
    // Copied with its entries: else each would hold the one before for ever.
    const record = { ...committed(key, cached.record, commit, rev) };
    this.#keep(key, { stamp, record, bytes });
  }

  drop(key: StoreKey): void {
    this.#bytes -= this.#cached.get(key)?.bytes ?? 0;
    this.#cached.delete(key);
  }

  #keep(key: StoreKey, cached: Cached): void {
    this.drop(key);
    if (cached.bytes > this.#limit) return;
    this.#cached.set(key, cached);
    this.#bytes += cached.bytes;
    for (const oldest of this.#cached.keys()) {
      if (this.#bytes <= this.#limit) return;
      this.drop(oldest);
    }
  }
}

/** Of records that were recalled. */
const stamps = new WeakMap<SessionRecord, number>();

/**
 * The stamp of the record that a commit is `on`; absent where it is on none. Throws `INVALID_OPTION` for a record that no cache
 * has recalled: of that nobody could say whether it still holds.
 */
export function stampOn({ on }: Commit): number | undefined {
  const stamp = on && stamps.get(on);
  if (on && stamp === undefined)
    throw invalid("commit.on is no record that this store's recall gave: pass that one itself");
  return stamp;
}

function sizeOf(name: string, value: string | null): number {
  return overhead + 2 * (name.length + (value?.length ?? 0));
}
