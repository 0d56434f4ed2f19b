import { randomInt } from "node:crypto";
import { withChanges } from "./entries.ts";
import type { Entry, EntryChange, StoreKey } from "./store.ts";

/** The entries of a session as one commit left them. */
interface Cached {
  /** The commit's own mark in the store. */
  readonly stamp: number;
  readonly entries: ReadonlyMap<string, Entry>;
  readonly bytes: number;
}

/** A stamp for a commit, of eight characters in base 36 at most. */
export function freshStamp(): number {
  return randomInt(1, 36 ** 8);
}

/** What an entry costs in memory besides its text, roughly. */
const overhead = 120;

/**
 * Entries that were read or written lately, so that a read whose stamp shows that nothing has changed need not build and
 * parse them again. A stamp is random and new with every commit: another process's write, or a database restored from a backup,
 * is never taken for what is cached, even where the revisions are the same.
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

  set(key: StoreKey, stamp: number, entries: ReadonlyMap<string, Entry>): void {
    let bytes = overhead;
    for (const [name, { value }] of entries) bytes += sizeOf(name, value);
    this.#keep(key, { stamp, entries, bytes });
  }

  /** Goes along with a commit of this store, unless another came between it and what is cached. */
  advance(
    key: StoreKey,
    { stamp, prior, rev }: { stamp: number; prior: number; rev: number },
    changes: ReadonlyMap<string, EntryChange>,
  ): void {
    const cached = this.#cached.get(key);
    if (!cached) return;
    if (cached.stamp !== prior) return this.drop(key);
    let { bytes } = cached;
    for (const [name, { value }] of changes) {
      const before = cached.entries.get(name);
      if (before) bytes -= sizeOf(name, before.value);
      if (value !== undefined) bytes += sizeOf(name, value);
    }
    const entries = withChanges(cached.entries, changes, rev);
    this.#keep(key, { stamp, entries, bytes });
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

function sizeOf(name: string, value: string | null): number {
  return overhead + 2 * (name.length + (value?.length ?? 0));
}
