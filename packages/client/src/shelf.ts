import { type AnyDefinition, type Op, SessionError, type SessionErrorCode } from "@catnap/shared";
import type { Disk, GuardedPuts, Put, StorageState } from "./disk.ts";
import type { Marks } from "./marks.ts";
import type { BaseEntry } from "./memory.ts";
import { type Migrate, mend } from "./mend.ts";
import type { Facts } from "./news.ts";
import type { OpRow } from "./outbox.ts";
import type { Tail } from "./tail.ts";

/** The last known snapshot as it rests: one record, which hydrates twice as fast as a row per key. */
export interface CacheRow {
  readonly identifier: string | null;
  readonly fingerprint: string;
  readonly rev: number;
  /** The highest seq seen: a later page goes on from here. */
  readonly clock: number;
  /** How far each writer's ops are part of the entries: their rows may still be there. */
  readonly decided: Readonly<Record<string, number>>;
  /** Names of notes that the app was told of, and the server may still keep. */
  readonly heard?: readonly string[];
  readonly facts: Facts | null;
  readonly entries: readonly (readonly [string, BaseEntry])[];
}

/** What the snapshot on disk is of: a small row, for whoever would write another one. */
type Head = Pick<CacheRow, "identifier" | "rev" | "fingerprint">;

/** The rows of which a snapshot consists. */
export const snapshotRows: readonly string[] = ["cache", "head"];

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
  /** Rows of changes that can never be sent, and why. */
  readonly unusable: readonly (OpRow & { readonly code: SessionErrorCode })[];
}

/** What of Catnap's is on disk, and how it is wiped. */
export class Shelf {
  readonly #disk: Disk;
  readonly #marks: Marks;
  readonly #tail: Tail;
  readonly #definition: AnyDefinition;
  readonly #id: (bytes: number) => string;
  readonly #migrate: Migrate | undefined;

  constructor(
    disk: Disk,
    marks: Marks,
    tail: Tail,
    definition: AnyDefinition,
    id: (bytes: number) => string,
    migrate: Migrate | undefined,
  ) {
    this.#disk = disk;
    this.#marks = marks;
    this.#tail = tail;
    this.#definition = definition;
    this.#id = id;
    this.#migrate = migrate;
  }

  get storage(): StorageState {
    return this.#disk.storage;
  }

  /** Ids for a browser profile that has none. */
  fresh(): ProfileRow {
    return { profile: this.#id(12), nonce: this.#id(32) };
  }

  /**
   * Finishes what wiping was interrupted, then reads all rows at once, with the tails of pages that are not this `writer`'s.
   * Changes that do not fit are left behind by older versions of the app when the page reads for the `first` time; what
   * comes later is a newer page's, which sends it itself.
   */
  async read(writer: () => string, first: boolean): Promise<Rows> {
    await this.#sweep();
    const found = await this.#disk.read();
    // What a tab wrote for a session that was wiped, and did not live to hear of it.
    const dead = this.#marks.list("dead");
    const late = (row: Partial<OpRow>) => dead.includes(row.identifier ?? "");
    const gone: string[] = [];
    this.#tail.filter((row) => row.writer !== writer() && !late(row));
    const tail = this.#tail.rows();
    if (tail.length > 0) {
      const rows = new Map(found);
      const rescued = tail.filter(([name]) => !rows.has(name));
      found.push(...rescued);
      const moved = new Set(tail.map(([name]) => name));
      const forget = () => this.#tail.filter((_, name) => !moved.has(name));
      void this.#disk.write(rescued, []).then(forget, () => undefined);
    }
    let cache: CacheRow | undefined;
    let profile: ProfileRow | undefined;
    const ops: OpRow[] = [];
    const unusable: (OpRow & { code: SessionErrorCode })[] = [];
    for (const [name, row] of found) {
      // Our own rows, by the names under which `write` puts them.
      if (late(row as Partial<OpRow>)) gone.push(name);
      else if (name === "cache") cache = this.#entriesOf(row as CacheRow);
      else if (name === "profile") profile = row as ProfileRow;
      else if (name.startsWith("op:")) {
        const found = row as OpRow;
        try {
          const op = this.#fitOp(found.op);
          if (first || (op.value === found.op.value && op.from === found.op.from)) ops.push({ ...found, op });
        } catch (error) {
          if (first) unusable.push({ ...found, code: SessionError.from(error)?.code ?? "INVALID_VALUE" });
        }
      }
    }
    if (gone.length > 0) void this.#disk.write([], gone).catch(() => undefined);
    profile ??= await this.#disk.claim("profile", this.fresh());
    // A tab that had not heard of a wipe yet may have put an older nonce back.
    const nonce = this.#marks.get("nonce") || profile.nonce;
    return { cache, ops, unusable, profile: { ...profile, nonce } };
  }

  /** The entries, of which a page of another version may have left some out: then all of it has to be asked for. */
  #entriesOf(cache: CacheRow): CacheRow {
    if (cache.fingerprint === this.#definition.fingerprint) return cache;
    const entries = cache.entries.filter(([name]) => this.keeps(name));
    return { ...cache, rev: 0, entries: entries.map(([name, entry]) => [name, { ...entry, rev: 0 }] as const) };
  }

  /** The op with values that today's schema accepts. Throws when it is beyond mending. */
  #fitOp(op: Op): Op {
    const key = this.#definition.keys.get(op.key);
    if (key?.access !== "shared") throw new SessionError("FORBIDDEN_KEY", "", { key: op.key });
    const mended = (value: string | null) => value && mend(key, value, this.#migrate);
    return { ...op, value: mended(op.value), ...(op.from == null ? {} : { from: mended(op.from) }) };
  }

  /**
   * A snapshot to write: not over a newer one, whose tab may have deleted rows of changes that this one does not contain
   * yet; unless it is a `reset`, since the server went back in time.
   */
  snapshot(row: Omit<CacheRow, "fingerprint">, reset: boolean): GuardedPuts {
    const { fingerprint } = this.#definition;
    const { identifier, rev } = row;
    const entries = row.entries.filter(([name]) => this.keeps(name));
    // A page that starts without some of the values asks for all of them.
    const cache: CacheRow = { ...row, rev: entries.length < row.entries.length ? 0 : rev, entries, fingerprint };
    const head: Head = { identifier, rev, fingerprint };
    const isNewer = (found: Head | undefined) =>
      found?.identifier === identifier && found.fingerprint === fingerprint && found.rev > rev;
    return {
      guard: "head",
      passes: (found) => reset || !isNewer(found as Head | undefined),
      puts: [
        ["cache", cache],
        ["head", head],
      ],
    };
  }

  /** Whether a key's values may touch the disk. */
  keeps(name: string): boolean {
    return this.#definition.keys.get(name)?.disk !== false;
  }

  write(puts: readonly Put[], deletes: readonly string[], snapshot?: GuardedPuts): Promise<void> {
    return this.#disk.write(puts, deletes, snapshot);
  }

  /** Puts rows aside, at once, since the page ends. */
  stash(rows: readonly (readonly [string, OpRow])[]): void {
    this.#tail.keep(rows);
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
    const dying = this.#marks.list("wipe");
    if (dying.length === 0) return;
    const among = (doomed: readonly string[], { identifier }: { identifier?: string | null }) =>
      doomed.includes("*") || Boolean(identifier && doomed.includes(identifier));
    this.#tail.filter((row) => !among(dying, row));
    // The disk may open late. What another tab has finished by then is not done to what was written since.
    let doomed: readonly string[] | undefined;
    await this.#disk.rewrite((name, row) => {
      doomed ??= this.#marks.list("wipe");
      if (doomed.length === 0) return row;
      if (name === "profile") return { ...(row as ProfileRow), nonce: this.#marks.get("nonce") || this.#id(32) };
      return among(doomed, row as { identifier?: string | null }) ? undefined : row;
    });
    for (const identifier of doomed ?? dying) this.#marks.remove("wipe", identifier);
  }
}
