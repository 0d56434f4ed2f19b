import type { AnyDefinition, InputOf, Key, NameOf, Side, ValueOf, ValuesOf, WritableNameOf } from "./definition.ts";
import { freezeInDevelopment } from "./freeze.ts";
import { SessionError } from "./session-error.ts";

/** One awake … respond … sleep of a session: an HTTP request on the server, a wakeful spell of a tab in the browser. */
export interface Transaction {
  readonly side: Side;
  /** What woke the session: the tRPC paths or the URL's path on the server, or `open` for `sessions.open`; the event's name in the browser. */
  readonly reason: string;
}

/** How `login` treats the session at hand. */
export interface LoginOptions<Name extends string> {
  /** Ends it, and begins another; default: it stays the same session, with all its values. */
  readonly replace?: boolean;
  /** The values that the new session takes over; only with `replace`. Default: none. */
  readonly keep?: readonly Name[];
}

/** What `previous()` tells of the cookie that came with a request. */
export type Previous = "none" | "unknown" | "expired";

/** What a session knows of itself besides its values. Times are epoch milliseconds. */
export interface SessionState {
  /** `null` until the first commit gives the session a record. */
  readonly identifier: string | null;
  readonly createdAt: number;
  readonly accessedAt: number;
  readonly transactions: number;
  readonly timeoutMs: number;
  readonly expiresAt: number;
}

/**
 * What a `Session` asks of the side that it is held on. The server's implementation is a fork of the request's
 * session, the browser's is the tab's memory; an app never makes one.
 */
export interface SessionHome {
  readonly definition: AnyDefinition;
  readonly side: Side;
  /** Decoded values as this holder sees them now: the fast path of every read. Emptied for keys that change. */
  readonly decoded: ReadonlyMap<string, unknown>;
  state(): SessionState;
  now(): number;
  /** The decoded value, `undefined` when absent. Throws when the session has ended. */
  read(key: Key): unknown;
  /** The names of the present values. */
  names(): readonly string[];
  /** `once`: the value that goes was given out, and must not have been given to anybody else. */
  write(key: Key, encoded: string | null, once?: boolean): void;
  update(key: Key, change: (current: unknown) => unknown): unknown;
  isDirty(): boolean;
  setDirty(dirty: boolean): void;
  setTimeout(seconds: number): void;
  setPersistent(persistent: boolean): void;
  invalidate(): Promise<void>;
  awake(trans: Transaction): void | Promise<void>;
  sleep(trans: Transaction): Promise<void>;
  save(): Promise<void>;
  rotate(): void;
  login(subject: string, options?: LoginOptions<string>): void;
  subject(): string | null;
  authenticatedAt(): number | null;
  previous(): Previous;
  ticketUrl(url: string): Promise<string>;
}

/** Where `writeExceptionReport` writes: the two methods of Webware's exception handler that it calls. */
export interface ReportHandler {
  writeTitle(title: string): void;
  writeAttrs(session: unknown, names: readonly string[]): void;
}

const mask = "(masked)";

/** The home that a session was made with, for the layer that made it; a WeakMap of them would cost every request. */
export let homeOf: (session: Session) => SessionHome;

/**
 * A map of named values with a life of its own: it awakes, responds and sleeps, and what is dirty when it sleeps goes
 * home. The one class of both sides; modelled on the `Session` of Webware for Python, whose methods it has, typed.
 *
 * Reads are synchronous, writes are validated at once and optimistic. Every method that meets a rule throws a
 * `SessionError` and changes nothing.
 */
export class Session<D extends AnyDefinition = AnyDefinition, S extends Side = "server"> {
  static {
    homeOf = (session) => session.#home;
  }

  readonly #home: SessionHome;
  readonly #decoded: ReadonlyMap<string, unknown>;

  /** Sessions are made by `createSessions` and `createSessionClient`; a subclass passes `home` on. */
  constructor(home: SessionHome) {
    this.#home = home;
    this.#decoded = home.decoded;
  }

  /**
   * Names the session for its whole life. Public: safe in logs. A visitor who has written nothing has no session yet: on the
   * server this is the name that a first write in this transaction will give it, in the browser `NO_SUCH_VALUE`.
   */
  identifier(): string {
    const { identifier } = this.#home.state();
    if (identifier !== null) return identifier;
    throw new SessionError("NO_SUCH_VALUE", "The session has no identifier yet: write a value first");
  }

  /**
   * Reads a value. An absent one gives `fallback`, else the schema's default, else `NO_SUCH_VALUE`. In development the
   * value is deeply frozen, so that a change in place without `setValue` shows at once.
   */
  value<K extends NameOf<D, S>>(name: K): ValueOf<D, K>;
  value<K extends NameOf<D, S>, F>(name: K, fallback: F): ValueOf<D, K> | F;
  value(name: string, ...fallback: unknown[]): unknown {
    const hit = this.#decoded.get(name);
    if (hit !== undefined) return hit;
    const key = this.#key(name);
    const present = this.#home.read(key);
    if (present !== undefined) return present;
    if (fallback.length > 0) return fallback[0];
    const byDefault = key.fallback();
    if (byDefault !== undefined) return freezeInDevelopment(byDefault);
    throw absent(name, "pass a fallback, declare a default, or ask hasValue first");
  }

  /**
   * Writes a value, validated by its schema: `INVALID_VALUE` (with the schema's issues) changes nothing. Writing what
   * the key holds already changes nothing either. In the browser a `readonly` or `secret` key is `FORBIDDEN_KEY`.
   */
  setValue<K extends WritableNameOf<D, S>>(name: K, value: InputOf<D, K>): void {
    const key = this.#writable(name);
    this.#home.write(key, key.encode(value));
  }

  /** Whether the value was set; a default does not count. */
  hasValue(name: NameOf<D, S>): boolean {
    return this.#home.read(this.#key(name)) !== undefined;
  }

  /** Removes a value. Throws `NO_SUCH_VALUE` when it is absent. */
  delValue(name: WritableNameOf<D, S>): void {
    const key = this.#writable(name);
    if (this.#home.read(key) === undefined) throw absent(name, "ask hasValue first");
    this.#home.write(key, null);
  }

  /** A read-only copy of all values that were set; defaults are not among them. */
  values(): ValuesOf<D, S> {
    const values = Object.fromEntries(this as Iterable<[string, unknown]>);
    // The entries are those of the definition's own names, each decoded to its schema's output.
    return Object.freeze(values) as ValuesOf<D, S>;
  }

  /** Iterates over the values that were set, as `[name, value]`. */
  *[Symbol.iterator](): Iterator<[NameOf<D, S>, ValueOf<D, NameOf<D, S>>]> {
    for (const name of this.#home.names()) {
      const key = this.#home.definition.keys.get(name);
      const present = key && this.#home.read(key);
      // `names` gives names of the definition that this side may read.
      if (present !== undefined) yield [name as NameOf<D, S>, present as ValueOf<D, NameOf<D, S>>];
    }
  }

  /**
   * Read-modify-write that never loses an update: `change` gets the current value (or the default) and returns the next
   * one. On conflict the server runs it again on the newer value, so it must be pure; in the browser the key's merge
   * does that work. Returns the value as this holder sees it.
   */
  update<K extends WritableNameOf<D, S>>(name: K, change: (current: ValueOf<D, K>) => InputOf<D, K>): ValueOf<D, K> {
    const key = this.#writable(name);
    // The home hands `change` the key's own value, of the type that the schema puts out.
    return this.#home.update(key, change as (current: unknown) => unknown) as ValueOf<D, K>;
  }

  /**
   * Reads a value once: gives it and removes it. Absent: the default, else `undefined`. On the server once means once: of
   * requests at the same time one is given it, and the others fail with `CONFLICT` when they are to be committed. In the
   * browser it is once for each device that has not heard of it.
   */
  flash<K extends WritableNameOf<D, S>>(name: K): ValueOf<D, K> | undefined {
    const key = this.#writable(name);
    const present = this.#home.read(key);
    if (present !== undefined) this.#home.write(key, null, true);
    return (present === undefined ? key.fallback() : present) as ValueOf<D, K> | undefined;
  }

  /** Whether something changed since the last sleep. */
  isDirty(): boolean {
    return this.#home.isDirty();
  }

  /** `setDirty()` forces a commit at sleep, which saves the access time; `setDirty(false)` takes that back, never a change. */
  setDirty(dirty = true): void {
    this.#home.setDirty(dirty);
  }

  /** Whether this is the session's first transaction. */
  isNew(): boolean {
    return this.numTransactions() < 2;
  }

  numTransactions(): number {
    return this.#home.state().transactions;
  }

  /** Epoch milliseconds. */
  creationTime(): number {
    return this.#home.state().createdAt;
  }

  /** Epoch milliseconds. */
  lastAccessTime(): number {
    return this.#home.state().accessedAt;
  }

  /** Seconds without a transaction after which the session expires. */
  timeout(): number {
    return this.#home.state().timeoutMs / 1000;
  }

  /** Sets the idle timeout of this session, in seconds; 0 expires it at once. `INVALID_TIMEOUT` for anything but a finite number from 0 on. The server's alone. */
  setTimeout(seconds: number): void {
    if (!Number.isFinite(seconds) || seconds < 0) {
      throw new SessionError(
        "INVALID_TIMEOUT",
        `A timeout is a finite number of seconds from 0 on, not the ${typeof seconds} ${seconds}`,
      );
    }
    this.#home.setTimeout(seconds);
  }

  /**
   * Whether the session's cookie stays when the browser is closed; `false` is for "do not remember me". Stands for the rest of
   * the session, whatever `cookie.persistent` says, and needs a cookie in this answer: the token is rotated when it differs from
   * how the cookie was. Throws `HEADERS_SENT` or `TOKEN_ROTATED` as `rotate` does. The server's alone.
   */
  setPersistent(persistent: S extends "server" ? boolean : never): void {
    this.#home.setPersistent(persistent);
  }

  isExpired(): boolean {
    const { expiresAt } = this.#home.state();
    return expiresAt <= this.#home.now();
  }

  /**
   * Ends the session: on the server when the transaction sleeps, in the browser at once, in every tab, memory and disk.
   * From here on this object throws `SESSION_GONE`; the next transaction starts a new session.
   */
  invalidate(): Promise<void> {
    return this.#home.invalidate();
  }

  /** Starts a transaction. A subclass that overrides it calls `super.awake(trans)`. */
  awake(trans: Transaction = transaction(this.#home.side, "awake")): void | Promise<void> {
    return this.#home.awake(trans);
  }

  /** Comes between awake and sleep, when the answer is about to be given. Does nothing; a subclass may. */
  respond(_trans: Transaction): void | Promise<void> {
    // A hook for subclasses.
  }

  /** Ends a transaction: what is dirty goes home. Resolves when it has arrived. */
  sleep(trans: Transaction = transaction(this.#home.side, "sleep")): Promise<void> {
    return this.#home.sleep(trans);
  }

  /**
   * Is called before an expired session is removed, and told why: nobody used it for its `timeout`, or its `lifetime` was
   * over. At least once, over all processes that share the store: again, when the one that called it did not live to
   * remove the session. Does nothing; a subclass may.
   */
  expiring(_reason: "timeout" | "lifetime"): void | Promise<void> {
    // A hook for subclasses.
  }

  /** Commits now, in mid-transaction: a later throw no longer takes these changes back. */
  save(): Promise<void> {
    return this.#home.save();
  }

  /** Issues a new token for the same session, at sleep; requests in flight may use the old one for a short grace. The server's alone. */
  rotate(): void {
    this.#home.rotate();
  }

  /**
   * Rotates and binds the session to a subject. Throws `SUBJECT_MISMATCH` when it belongs to another, unless
   * `{ replace: true }` ends it, whoever's it is, and begins the subject's, with an identifier of its own and no values but
   * those that `keep` names. From here on this object is the new session. The server's alone.
   */
  login(subject: string, options?: LoginOptions<NameOf<D, S>>): void {
    this.#home.login(subject, options);
  }

  /** Whom the session belongs to, or `null` when anonymous. The server's alone. */
  subject(): string | null {
    return this.#home.subject();
  }

  /** When somebody last called `login` on this session, in epoch milliseconds; `null`: nobody has. The server's alone. */
  authenticatedAt(): number | null {
    return this.#home.authenticatedAt();
  }

  /** What became of the cookie that came: `"none"` came or it was good, `"unknown"`, or its session has `"expired"`. The server's alone. */
  previous(): Previous {
    return this.#home.previous();
  }

  /**
   * Adds a single-use ticket, good for 60 seconds, that hands this session to the page behind `url`; never the token.
   * Throws `TICKETS_DISABLED` unless `createSessions` was given `tickets: true`. The server's alone.
   */
  sessionEncode(url: string): Promise<string> {
    return this.#home.ticketUrl(url);
  }

  /** Describes the session to an exception handler: attributes and values, those of secret keys masked, no token. */
  writeExceptionReport(handler: ReportHandler): void {
    const { identifier, createdAt, accessedAt, transactions, timeoutMs } = this.#home.state();
    const values: Record<string, unknown> = {};
    for (const name of this.#home.names()) {
      const key = this.#home.definition.keys.get(name);
      if (key) values[name] = key.access === "secret" ? mask : this.#home.read(key);
    }
    const report = { identifier, createdAt, accessedAt, transactions, timeout: timeoutMs / 1000, values };
    handler.writeTitle("Session");
    handler.writeAttrs(report, Object.keys(report));
  }

  /** What `console.log` and `JSON.stringify` show: no values. */
  toJSON(): { identifier: string | null } {
    return { identifier: this.#home.state().identifier };
  }

  #key(name: string): Key {
    const key = this.#home.definition.keys.get(name);
    if (!key) {
      const known = [...this.#home.definition.keys.keys()].join(", ");
      throw new SessionError("UNKNOWN_KEY", `The definition has no value "${name}"; it has: ${known}`, { key: name });
    }
    if (key.access === "secret" && this.#home.side === "browser") throw forbidden(key, "stays on the server");
    return key;
  }

  #writable(name: string): Key {
    const key = this.#key(name);
    if (key.access === "readonly" && this.#home.side === "browser")
      throw forbidden(key, "is written by the server alone");
    return key;
  }
}

/** A transaction of the given side, for calls that name none. */
export function transaction(side: Side, reason: string): Transaction {
  return { side, reason };
}

/** `FORBIDDEN_KEY` with the reason why this side may not touch the key. */
export function forbidden(key: Key, why: string): SessionError {
  return new SessionError(
    "FORBIDDEN_KEY",
    `"${key.name}" is ${key.access} and ${why}: call a procedure of the server instead`,
    {
      key: key.name,
    },
  );
}

function absent(name: string, remedy: string): SessionError {
  return new SessionError("NO_SUCH_VALUE", `The session has no value "${name}": ${remedy}`, { key: name });
}
