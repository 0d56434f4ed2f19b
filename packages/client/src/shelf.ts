import type { AnyDefinition } from "@catnap/shared";
import type { Disk, StorageState } from "./disk.ts";
import type { Marks } from "./marks.ts";
import type { BaseEntry } from "./memory.ts";
import type { Facts } from "./news.ts";
import type { OpRow } from "./outbox.ts";

/** The last known snapshot as it rests: one record, which hydrates twice as fast as a row per key. */
export interface CacheRow {
  readonly identifier: string | null;
  readonly fingerprint: string;
  readonly rev: number;
  /** The highest seq seen: a later page goes on from here. */
  readonly clock: number;
  /** How far each writer's ops are part of the entries: their rows may still be there. */
  readonly decided: Readonly<Record<string, number>>;
  readonly facts: Facts | null;
  readonly entries: readonly (readonly [string, BaseEntry])[];
}

/** Who the browser profile is, and the secret by which its first requests know each other. */
export interface ProfileRow {
  readonly profile: string;
  readonly nonce: string;
}

/** What the disk holds, sorted: the cache, the profile, the ops. */
export interface Rows {
  readonly cache: CacheRow | undefined;
  readonly profile: ProfileRow;
  readonly ops: readonly OpRow[];
}

/** What of Catnap's is on disk, and how it is wiped. */
export class Shelf {
  readonly #disk: Disk;
  readonly #marks: Marks;
  readonly #fingerprint: string;
  readonly #id: (bytes: number) => string;

  constructor(disk: Disk, marks: Marks, definition: AnyDefinition, id: (bytes: number) => string) {
    this.#disk = disk;
    this.#marks = marks;
    this.#fingerprint = definition.fingerprint;
    this.#id = id;
  }

  get storage(): StorageState {
    return this.#disk.storage;
  }

  /** Ids for a browser profile that has none. */
  fresh(): ProfileRow {
    return { profile: this.#id(12), nonce: this.#id(32) };
  }

  /** Finishes what wiping was interrupted, then reads all rows at once. */
  async read(): Promise<Rows> {
    await this.#sweep();
    let cache: CacheRow | undefined;
    let profile: ProfileRow | undefined;
    const ops: OpRow[] = [];
    for (const [name, row] of await this.#disk.read()) {
      // Our own rows, by the names under which `write` puts them.
      if (name === "cache") cache = row as CacheRow;
      else if (name === "profile") profile = row as ProfileRow;
      else if (name.startsWith("op:")) ops.push(row as OpRow);
    }
    if (cache && cache.fingerprint !== this.#fingerprint) cache = { ...cache, rev: 0, entries: [] };
    return { cache, ops, profile: profile ?? (await this.#disk.claim("profile", this.fresh())) };
  }

  cacheRow(row: Omit<CacheRow, "fingerprint">): readonly [string, CacheRow] {
    return ["cache", { ...row, fingerprint: this.#fingerprint }];
  }

  write(puts: readonly (readonly [string, unknown])[], deletes: readonly string[]): Promise<void> {
    return this.#disk.write(puts, deletes);
  }

  /** Deletes what is bound to a session, `"*"` for all; a mark that is set first lets the next start finish it. */
  wipe(identifier: string): Promise<void> {
    this.#marks.add("wipe", identifier);
    return this.#sweep();
  }

  close(): void {
    this.#disk.close();
  }

  async #sweep(): Promise<void> {
    const doomed = this.#marks.list("wipe");
    if (doomed.length === 0) return;
    await this.#disk.rewrite((name, row) => {
      if (name === "profile") return { ...(row as ProfileRow), nonce: this.#id(32) };
      const bound = (row as { identifier?: string | null }).identifier;
      return doomed.includes("*") || (bound && doomed.includes(bound)) ? undefined : row;
    });
    for (const identifier of doomed) this.#marks.remove("wipe", identifier);
  }
}
