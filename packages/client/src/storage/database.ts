import { type AnyDefinition, decode } from "@catnap/shared";
import { type CacheRow, isAmong, type OpRow, type Rows } from "../replica/rows.ts";
import type { Epochs } from "./epochs.ts";
import type { Journal, JournalRow } from "./journal.ts";
import type { GuardedPuts, Put, StorageState, Table } from "./table.ts";

/** What the snapshot on disk is of: a small row, for whoever would write another one. */
type Head = Pick<CacheRow, "identifier" | "rev" | "fingerprint">;

/** What of Catnap's is on disk. */
export class Database {
  readonly #table: Table;
  readonly #epochs: Epochs;
  readonly #journal: Journal;
  readonly #definition: AnyDefinition;
  readonly #now: () => number;

  constructor(table: Table, epochs: Epochs, journal: Journal, definition: AnyDefinition, now: () => number) {
    this.#table = table;
    this.#epochs = epochs;
    this.#journal = journal;
    this.#definition = definition;
    this.#now = now;
  }

  get storage(): StorageState {
    return this.#table.storage;
  }

  /**
   * All rows at once, with the journals of pages, which are all that there is where the disk `failed`. Changes come as they are, of
   * whatever version of the app: which of them fit, the server decides.
   */
  async read(isOurs: (row: OpRow) => boolean): Promise<Rows> {
    const onDisk = await this.#table.read().catch(() => undefined);
    // A Map takes no more of an array than its first two.
    const found = new Map([...(onDisk ?? []), ...this.#journal.rows(!onDisk)] as [string, unknown][]);
    let cache: CacheRow | undefined;
    const ops: OpRow[] = [];
    const left: OpRow[] = [];
    let over = false;
    // By their names: all rows are the same text.
    for (const [name, row] of [...found].sort()) {
      try {
        // Our own rows, by the names under which `write` puts them.
        const found = row as OpRow;
        if (name === "cache") cache = this.#entriesOf(row as CacheRow);
        const isChange = name.startsWith("op:");
        const isOver = isChange ? this.#isOver(found) : this.#isPast(found);
        if (isChange && isOurs(found)) ops.push(found);
        else if (isOver) over = true;
        else if (isChange && this.#isPast(found)) left.push(found);
      } catch {
        console.warn(`catnap: deleted the damaged row ${name}`);
        over = true;
      }
    }
    if (over) this.sweep();
    return { failed: !onDisk, cache, ops, left };
  }

  /** Whether a row is of an epoch or a session that has ended, or of what the browser was before its storage was cleared. */
  #isPast({ identifier, epoch, profile, op }: Partial<OpRow>): boolean {
    const now = this.#epochs.get();
    // Tabs that begin in one moment have profiles of their own until they have heard of each other.
    if (op && profile !== now.profile && this.#now() - op.seq > 60_000) return true;
    return [epoch, identifier].some((name) => now.past.includes(name ?? ""));
  }

  /** Whether a row is of one that has ended, and nobody is to hear of it any more. Throws for one that is damaged. */
  #isOver(row: OpRow): boolean {
    const now = this.#epochs.get();
    const { epoch, identifier, writer, op } = row;
    if (op.value !== null) decode(op.value, op.key);
    const isQuiet = [epoch, identifier].some((name) => now.quiet.includes(name ?? ""));
    return isQuiet || (this.#isPast(row) && isAmong(now.told, { ...op, writer }));
  }

  /** The entries, of which a page of another version may have left some out: then all of it has to be asked for. */
  #entriesOf(cache: CacheRow): CacheRow {
    if (cache.fingerprint === this.#definition.fingerprint) return cache;
    // What the server alone writes a browser may have written then: it is told anew.
    const isOurs = (name: string) => this.keeps(name) && this.#definition.keys.get(name)?.access === "shared";
    const entries = cache.entries.filter(([name]) => isOurs(name));
    return {
      ...cache,
      rev: 0,
      sum: undefined,
      entries: entries.map(([name, entry]) => [name, { ...entry, rev: 0 }] as const),
    };
  }

  /**
   * A snapshot to write: of the browser's session, and not over a newer one, whose tab may have deleted rows of changes that
   * this one does not contain yet; unless it is a `reset`, since the server went back in time.
   */
  snapshot(row: Omit<CacheRow, "fingerprint">, reset: boolean): GuardedPuts {
    const { fingerprint } = this.#definition;
    const { identifier, rev } = row;
    const entries = row.entries.filter(([name]) => this.keeps(name));
    // A page that starts without some of the values asks for all of them.
    const whole = entries.length === row.entries.length;
    const cache: CacheRow = { ...row, entries, fingerprint, ...(!whole && { rev: 0, sum: undefined }) };
    const head: Head = { identifier, rev, fingerprint };
    const isNewer = (found: Head | undefined) =>
      found?.identifier === identifier && found.fingerprint === fingerprint && found.rev > rev;
    return {
      guard: "head",
      passes: (found) => this.#epochs.get().identifier === identifier && (reset || !isNewer(found as Head | undefined)),
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

  /** Puts and deletes, in a transaction that is begun at once. */
  write(puts: readonly Put[], deletes: readonly string[], snapshot?: GuardedPuts): Promise<void> {
    if (deletes.length > 0) this.#journal.filter((_, name) => !deletes.includes(name));
    return this.#table.write(puts, deletes, snapshot);
  }

  /** Puts this page's rows aside, at once, since it ends. */
  stash(rows: readonly JournalRow[]): void {
    this.#journal.keep(rows);
  }

  /** Deletes what has ended, and what is damaged. What is left, should that fail, is not shown, and deleted by whoever reads it. */
  sweep(): void {
    this.#journal.filter((row) => !this.#isOver(row));
    this.#table
      .sift((name, row) => {
        try {
          if (name.startsWith("op:")) return !this.#isOver(row as OpRow);
          return (row as Head).identifier === this.#epochs.get().identifier;
        } catch {
          return false; // damaged
        }
      })
      .catch(() => undefined);
  }

  close(): void {
    this.#table.close();
  }
}
