import { type AnyDefinition, keyNamed, namesOf } from "../definition/definition.ts";
import type { Key } from "../definition/key.ts";
import type { InputOf, NameOf, Refused, Side, ValueOf, ValuesOf, WritableNameOf } from "../definition/names.ts";
import { freezeInDevelopment } from "../freeze.ts";
import { refusal, SessionError } from "../session-error.ts";
import type { BaseHome, Transaction } from "./home.ts";

/** Where `writeExceptionReport` writes: the two methods of Webware's exception handler that it calls. */
export interface ReportHandler {
  writeTitle(title: string): void;
  writeAttrs(session: unknown, names: readonly string[]): void;
}

/** The home that a session was made with, for the layer that made it; a WeakMap of them would cost every request. */
export let homeOf: (session: BaseSession<AnyDefinition, Side>) => BaseHome;

/**
 * What the sessions of both sides have in common: a map of named values with a life of its own, which awakes and sleeps,
 * and whose changes go home when it sleeps. Modelled on the `Session` of Webware for Python, whose methods it has, typed.
 *
 * Reads are synchronous, writes are validated at once and optimistic. Every method that meets a rule throws a
 * `SessionError` and changes nothing.
 */
export class BaseSession<D extends AnyDefinition, S extends Side> {
  static {
    homeOf = (session) => session.#home;
  }

  readonly #home: BaseHome;
  readonly #decoded: ReadonlyMap<string, unknown>;

  /** The sessions of each side are made by a subclass. */
  constructor(home: BaseHome) {
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
  setValue<K extends WritableNameOf<D, S>, N extends string = K>(
    name: K | Refused<D, S, N>,
    value: InputOf<D, K>,
  ): void {
    const key = this.#key(name, true);
    this.#home.write(key, key.encode(value, this.#home.encoded(key)));
  }

  /** Whether the value was set; a default does not count. */
  hasValue(name: NameOf<D, S>): boolean {
    return this.#home.read(this.#key(name)) !== undefined;
  }

  /** Removes a value. Throws `NO_SUCH_VALUE` when it is absent. */
  delValue<N extends string>(name: WritableNameOf<D, S> | Refused<D, S, N>): void {
    const key = this.#key(name, true);
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
      if (present !== undefined) yield [key?.label as NameOf<D, S>, present as ValueOf<D, NameOf<D, S>>];
    }
  }

  /**
   * Read-modify-write that never loses an update: `change` gets the current value (or the default) and returns the next
   * one. On conflict the server runs it again on the newer value, so it must be pure; in the browser the key's merge
   * does that work. Returns the value as this holder sees it.
   */
  update<K extends WritableNameOf<D, S>, N extends string = K>(
    name: K | Refused<D, S, N>,
    change: (current: ValueOf<D, K>) => InputOf<D, K>,
  ): ValueOf<D, K> {
    const key = this.#key(name, true);
    // The home hands `change` the key's own value, of the type that the schema puts out.
    return this.#home.update(key, change as (current: unknown) => unknown) as ValueOf<D, K>;
  }

  /**
   * Reads a value once: gives it and removes it. Absent: the default, else `undefined`. On the server once means once: of
   * requests at the same time one is given it, and the others fail with `CONFLICT` when they are to be committed. In the
   * browser it is once for each device that has not heard of it.
   */
  flash<K extends WritableNameOf<D, S>, N extends string = K>(name: K | Refused<D, S, N>): ValueOf<D, K> | undefined {
    const key = this.#key(name, true);
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

  isExpired(): boolean {
    return this.#home.state().expiresAt <= this.#home.now();
  }

  /**
   * Ends the session: on the server when the transaction sleeps, in the browser at once, in every tab, memory and disk.
   * From here on this object throws `SESSION_GONE`; the next transaction starts a new session.
   */
  invalidate(): Promise<void> {
    return this.#home.invalidate();
  }

  /**
   * Starts a transaction. A subclass that overrides it calls `super.awake(trans)`. In the browser it shows what the disk
   * holds, then the server's news, and resolves when the server has answered, or could not be reached.
   */
  awake(_trans?: Transaction): S extends "browser" ? Promise<void> : void | Promise<void> {
    // The browser's home gives a promise.
    return this.#home.awake() as Promise<void>;
  }

  /** Ends a transaction: what is dirty goes home. Resolves when it has arrived. */
  sleep(_trans?: Transaction): Promise<void> {
    return this.#home.sleep();
  }

  /** Commits now, in mid-transaction: a later throw no longer takes these changes back. */
  save(): Promise<void> {
    return this.#home.save();
  }

  /** Describes the session to an exception handler: attributes and values, those of secret keys masked, no token. */
  writeExceptionReport(handler: ReportHandler): void {
    const { timeoutMs, expiresAt: _, ...facts } = this.#home.state();
    const values: Record<string, unknown> = {};
    for (const [name, present] of this) {
      values[name] = this.#key(name).access === "secret" ? "(masked)" : present;
    }
    const report = { ...facts, timeout: timeoutMs / 1000, values };
    handler.writeTitle("Session");
    handler.writeAttrs(report, Object.keys(report));
  }

  /** What `console.log` and `JSON.stringify` show: no values. */
  toJSON(): { identifier: string | null } {
    return { identifier: this.#home.state().identifier };
  }

  #key(name: string, writes = false): Key {
    const { definition } = this.#home;
    const key = keyNamed(definition, name);
    if (!key) throw refusal("UNKNOWN_KEY", name, `is not in the definition, which has ${namesOf(definition)}`);
    if (this.#home.side === "browser") assertAccess(key, writes);
    return key;
  }
}

/** Throws `FORBIDDEN_KEY` for a key that the browser may not read, or not write. */
export function assertAccess({ label: name, access }: Key, writes: boolean): void {
  if (access === "secret" || (writes && access === "readonly"))
    throw refusal("FORBIDDEN_KEY", name, `is ${access} in the browser: call a procedure of the server instead`);
}

function absent(name: string, remedy: string): SessionError {
  return refusal("NO_SUCH_VALUE", name, `has no value in the session: ${remedy}`);
}
