import { type AnyDefinition, type Op, SessionError, type SessionErrorCode } from "@catnap/shared";
import { fitted, type Migrate } from "../replica/migrate.ts";
import type { CacheRow, OpRow, ProfileRow, Rows } from "../replica/rows.ts";
import type { Journal } from "./journal.ts";
import type { Marks } from "./marks.ts";
import type { GuardedPuts, Put, StorageState, Table } from "./table.ts";

/** What the snapshot on disk is of: a small row, for whoever would write another one. */
type Head = Pick<CacheRow, "identifier" | "rev" | "fingerprint">;

/** The rows of which a snapshot consists. */
export const snapshotRows: readonly string[] = ["cache", "head"];

/** What of Catnap's is on disk, and how it is wiped. */
export class Database {
  readonly #table: Table;
  readonly #marks: Marks;
  readonly #journal: Journal;
  readonly #definition: AnyDefinition;
  readonly #id: (bytes: number) => string;
  readonly #migrate: Migrate | undefined;

  constructor(
    table: Table,
    marks: Marks,
    journal: Journal,
    definition: AnyDefinition,
    id: (bytes: number) => string,
    migrate: Migrate | undefined,
  ) {
    this.#table = table;
    this.#marks = marks;
    this.#journal = journal;
    this.#definition = definition;
    this.#id = id;
    this.#migrate = migrate;
  }

  get storage(): StorageState {
    return this.#table.storage;
  }

  /** A nonce of nobody's. */
  nonce(): string {
    return this.#id(32);
  }

  /** What the browser's tabs have agreed on, or ids for a profile that has none. */
  proposal(): ProfileRow {
    return this.#marks.known({ profile: this.#id(12), nonce: this.nonce() });
  }

  /** What pages have put aside, but for what is done: all that there is where the disk fails. */
  aside(isDone: (row: OpRow) => boolean): OpRow[] {
    const dead = this.#marks.list("dead");
    this.#journal.filter((row) => !isDone(row) && !dead.includes(row.identifier ?? ""));
    return this.#journal.rows().flatMap(([, row]) => {
      try {
        return [{ ...row, op: this.#fitOp(row.op) }];
      } catch {
        return []; // a later page may read the disk, and tell the app
      }
    });
  }

  /**
   * Finishes what wiping was interrupted, then reads all rows at once, with the journals of pages, except what is done. Changes
   * that do not fit are left behind by older versions of the app when the page reads for the `first` time; what
   * comes later is a newer page's, which sends it itself.
   */
  async read(isDone: (row: OpRow) => boolean, first: boolean): Promise<Rows> {
    await this.#sweep();
    const found = await this.#rows();
    // What a tab wrote for a session that was wiped, and did not live to hear of it.
    const dead = this.#marks.list("dead");
    const late = (row: Partial<OpRow>) => dead.includes(row.identifier ?? "");
    const gone: string[] = [];
    this.#journal.filter((row) => !isDone(row) && !late(row));
    const journal = this.#journal.rows();
    if (journal.length > 0) {
      const rescued = journal.filter(([name]) => !found.has(name));
      for (const [name, row] of rescued) found.set(name, row);
      const moved = new Set(journal.map(([name]) => name));
      const forget = () => this.#journal.filter((_, name) => !moved.has(name));
      void this.#table.write(rescued, []).then(forget, () => undefined);
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
    if (gone.length > 0) void this.#table.write([], gone).catch(() => undefined);
    // A disk that takes nothing more can still be read.
    profile ??= await this.#table.claim("profile", () => this.proposal()).catch(() => this.proposal());
    // A tab that had not heard of a wipe yet may have put an older nonce back; and one that could not read may go by another.
    return { cache, ops, unusable, profile: this.#marks.agree(profile) };
  }

  /** What is on disk. Of a journal that another page moves there meanwhile one would find nothing in either place. */
  async #rows(): Promise<Map<string, unknown>> {
    const before = this.#journal.rows();
    const found = new Map(await this.#table.read());
    const names = new Set(this.#journal.rows().map(([name]) => name));
    return before.every(([name]) => names.has(name) || found.has(name)) ? found : this.#rows();
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
    const adapt = (value: string | null) => value && fitted(key, value, this.#migrate);
    return { ...op, value: adapt(op.value), ...(op.from == null ? {} : { from: adapt(op.from) }) };
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

  /** Puts and deletes, in a transaction that is begun at once; but not before a wipe that failed, which would take what comes after it. */
  async write(puts: readonly Put[], deletes: readonly string[], snapshot?: GuardedPuts): Promise<void> {
    const wiped = this.#marks.get("wiped");
    while (this.#marks.list("wipe").length > 0) await this.#sweep();
    // What was wiped while it waited is not to come back.
    if (this.#marks.get("wiped") === wiped) await this.#table.write(puts, deletes, snapshot);
  }

  /** Puts a writer's rows aside, at once, since the page ends. */
  stash(writer: string, rows: readonly (readonly [string, OpRow])[]): void {
    this.#journal.keep(writer, rows);
  }

  /** Deletes what is bound to a session, or, where it begins with `*`, all; a mark that is set first lets the next start finish it. */
  wipe(what: string): Promise<void> {
    this.#marks.add("wipe", what);
    this.#journal.filter((row) => !isOf([what], row));
    return this.#sweep();
  }

  close(): void {
    this.#table.close();
  }

  async #sweep(): Promise<void> {
    const dying = this.#marks.list("wipe");
    if (dying.length === 0) return;
    // The disk may open late. What another tab has finished by then is not done to what was written since.
    let doomed: readonly string[] | undefined;
    let profile: ProfileRow | undefined;
    await this.#table.sift((name, row) => {
      doomed ??= this.#marks.list("wipe");
      if (name === "profile") profile = row as ProfileRow;
      return name === "profile" || !isOf(doomed, row as Partial<OpRow>);
    });
    if (profile && doomed && doomed.length > 0) {
      const nonce = this.#marks.get("nonce") || this.nonce();
      // A full disk takes deletions alone; where there is localStorage, the nonce is there.
      await this.#table.write([["profile", { ...profile, nonce }]], []).catch(() => undefined);
    }
    for (const what of doomed ?? dying) this.#marks.remove("wipe", what);
  }
}

/** Whether one of these wipes takes a row. */
function isOf(wipes: readonly string[], { identifier }: Pick<Partial<OpRow>, "identifier">): boolean {
  return wipes.some((what) => what.startsWith("*") || what === identifier);
}
