import { setTimeout as pause } from "node:timers/promises";
import { SessionError } from "@catnap/shared";
import { all, driver, type Opener, type SqliteDatabase } from "./driver.ts";
import { isBusy, translate } from "./errors.ts";
import { createPrivate, type Identity, identify, isSame, OpenedFile, type Place, placeOf, whyNot } from "./file.ts";

/** What a connection works with. */
export interface ConnectionSettings<T> {
  /** A file's path, which is opened and closed; or a database, which stays open. */
  readonly source: string | SqliteDatabase;
  /** What messages call it. */
  readonly name: string;
  readonly lockTimeoutMs: number;
  /** Makes of an open database what actions work with. Runs again when it meets a lock. */
  prepare(database: SqliteDatabase): T;
  /** Called when a file was opened in place of another one. */
  replaced(): void;
}

interface Opened<T> {
  readonly database: SqliteDatabase;
  readonly prepared: T;
  /** `null`: the application's, in memory, or where nothing can be found under the path. */
  readonly file: OpenedFile | null;
}

/**
 * A database that is opened at the first call, again when opening has failed, and anew when another file has come into its
 * place. While the file is gone calls reject: what is written to a file without a name is lost when the process ends.
 */
export class SqliteConnection<T> {
  readonly #settings: ConnectionSettings<T>;
  /** Where the file is, from the first opening on: a process may change its folder. */
  #place: Place | null | undefined;
  #opening: Promise<Opened<T>> | undefined;
  #current: Opened<T> | undefined;
  /** Whether the file has been there: one that has gone is not made again, as if nothing had been in it. */
  #hasBeen = false;
  #closed = false;

  constructor(settings: ConnectionSettings<T>) {
    this.#settings = settings;
  }

  /** Throws `STORE_UNAVAILABLE` once it is closed. */
  assertOpen(): void {
    if (!this.#closed) return;
    throw new SessionError("STORE_UNAVAILABLE", `The store of ${this.#settings.name} is closed: make another one`);
  }

  /** Runs an action on the open database. */
  async use<R>(action: (prepared: T, database: SqliteDatabase) => R): Promise<R> {
    for (;;) {
      this.assertOpen();
      this.#opening ??= this.#open();
      const opened = await this.#opening;
      const done = await this.#patiently(
        () => this.#isCurrent(opened) && { result: action(opened.prepared, opened.database) },
      );
      if (done) return done.result;
    }
  }

  /**
   * Waits for a lock without blocking the event loop, as SQLite's own wait would: a commit that another process holds up
   * for seconds must not stop everything else that this process does.
   */
  async #patiently<R>(action: () => R): Promise<R> {
    const { lockTimeoutMs, name } = this.#settings;
    let deadline: number | undefined;
    for (;;) {
      this.assertOpen();
      try {
        return action();
      } catch (error) {
        deadline ??= performance.now() + lockTimeoutMs;
        if (!isBusy(error) || performance.now() > deadline) throw translate(error, name);
      }
      await pause(10);
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const { source, name } = this.#settings;
    try {
      // Whoever asked for an opening that failed was told why.
      await this.#opening?.catch(() => undefined);
      this.#letGo();
    } catch (error) {
      throw translate(error, name);
    } finally {
      if (typeof source === "string") this.#current?.database.close();
    }
  }

  #isCurrent(opened: Opened<T>): boolean {
    // Another call may have found the file replaced while this one waited.
    if (opened !== this.#current) return false;
    const state = opened.file?.state() ?? "same";
    if (state === "gone") throw this.#gone();
    if (state === "replaced") this.#retire();
    return state === "same";
  }

  /** Ends the open database, so that the next call opens what is there by then; not as long as a log is in its way. */
  #retire(): void {
    this.#letGo();
    this.#current?.database.close();
    this.#current = undefined;
    this.#opening = undefined;
  }

  /** Leaves a file whole, and beside another that has come in its place nothing that belongs to it. */
  #letGo(): void {
    if (!this.#current || typeof this.#settings.source !== "string") return;
    const { database, file } = this.#current;
    try {
      // For whoever has moved the file, or copies it now: libsql closes a database only with the last of its statements,
      // whenever that is collected, so that the last commits would stay in the log.
      all(database, "PRAGMA wal_checkpoint(TRUNCATE)");
    } catch {
      // What could not be taken over stays in the log, for whoever opens the file next.
    }
    if (file !== null && file.look() !== "same") file.removeCompanions();
  }

  async #open(): Promise<Opened<T>> {
    const { source, name, prepare, replaced } = this.#settings;
    try {
      if (typeof source !== "string") {
        this.#current = { database: source, prepared: await this.#patiently(() => prepare(source)), file: null };
        return this.#current;
      }
      const { database, identity } = this.#openFile(await driver(name), source);
      try {
        const prepared = await this.#patiently(() => prepare(database));
        const file = this.#place && identity ? new OpenedFile(this.#place, identity) : null;
        this.#current = { database, prepared, file };
      } catch (error) {
        database.close();
        throw error;
      }
      if (this.#hasBeen) replaced();
      this.#hasBeen ||= this.#current.file !== null;
      return this.#current;
    } catch (error) {
      // A failed opening is not for ever: the next call tries again.
      this.#opening = undefined;
      throw translate(error, name);
    }
  }

  /** Opens the file and says which one it is. */
  #openFile(Database: Opener, path: string): { database: SqliteDatabase; identity: Identity | null } {
    if (this.#place === undefined) this.#place = placeOf(path);
    const place = this.#place;
    if (place === null) return { database: this.#opened(Database, path), identity: null };
    for (let attempt = 1; ; attempt++) {
      if (this.#hasBeen && identify(place.file) === "gone") throw this.#gone();
      if (!this.#hasBeen && place.creates) createPrivate(place.file);
      const before = identify(place.file);
      const database = this.#opened(Database, path.startsWith("file:") ? path : place.file);
      // Another file may come just now, and some file systems number a file anew when it is opened.
      if (typeof before === "object" && isSame(identify(place.file), before)) return { database, identity: before };
      if (attempt === 3) return { database, identity: null };
      database.close();
    }
  }

  #opened(Database: Opener, path: string): SqliteDatabase {
    try {
      return new Database(path);
    } catch (cause) {
      const remedy = this.#place ? whyNot(this.#place) : "make sure that its folder exists and is open to this process";
      throw new SessionError("STORE_UNUSABLE", `${this.#settings.name} cannot be opened: ${remedy}`, {
        cause: new Error(`cannot open ${path}`, { cause }),
      });
    }
  }

  #gone(): SessionError {
    const { name } = this.#settings;
    return new SessionError(
      "STORE_UNAVAILABLE",
      `${name} is gone, somebody has moved or removed it: put it back, or restart this process to begin with an empty one`,
    );
  }
}
