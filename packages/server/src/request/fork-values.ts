import { applyOp, decode, freezeInDevelopment, type Key } from "@catnap/shared";
import { Draft, type Replacement } from "../commit/draft.ts";
import { callable } from "../option-checks.ts";
import { unreadable } from "../stores/unreadable.ts";
import type { SessionView } from "./session-view.ts";

/** The values as one procedure call sees them: the request's, with what the call has changed on top. */
export class ForkValues {
  /** What the call has changed, and what else it wants of its session. */
  draft: Draft = new Draft();
  /** Decoded values, for the next read of the same key. */
  readonly decoded: Map<string, unknown> = new Map();
  readonly #view: SessionView;

  constructor(view: SessionView) {
    this.#view = view;
  }

  /** The decoded value; `undefined` when absent. */
  read(key: Key): unknown {
    const encoded = this.#encoded(key.name);
    if (encoded === null) return undefined;
    const known = this.decoded.get(key.name);
    if (known !== undefined) return known;
    const value = this.#decode(key, encoded);
    this.decoded.set(key.name, value);
    return value;
  }

  encoded({ name }: Key): string | null {
    return this.#encoded(name);
  }

  /** The names of the present values. */
  names(): string[] {
    const names = new Set([...this.#view.names(), ...this.draft.changes.keys()]);
    return [...names].filter((name) => this.#encoded(name) !== null);
  }

  /** `once`: the value that goes was given out, and must not have been given to anybody else. */
  write(key: Key, encoded: string | null, once: boolean): void {
    const from = this.#encoded(key.name);
    if (from === encoded) return;
    this.draft.madeOn ??= this.#view.generation;
    const joined = (current: string | null) =>
      applyOp(key, { seq: 0, key: key.name, value: encoded, base: 0, from }, current);
    if (once) this.draft.put({ key, value: encoded, from, redo: (current) => current, once });
    else this.draft.put({ key, value: encoded, from, redo: key.merge ? joined : null });
    this.decoded.delete(key.name);
  }

  /** Changes a value by a function of it, which runs again when the commit meets another value. */
  update(key: Key, change: (current: unknown) => unknown): void {
    callable(`The second argument of update("${key.label}")`, change, "(current) => …");
    const redo = (current: string | null) =>
      key.encode(change(current === null ? key.fallback() : this.#decode(key, current)), current);
    this.#view.assertFit(key.name);
    const from = this.#encoded(key.name);
    this.draft.madeOn ??= this.#view.generation;
    this.draft.put({ key, value: redo(from), from, redo });
    this.decoded.delete(key.name);
  }

  /** Drops what is not kept. */
  leave(replace: Replacement): void {
    this.draft.leave(replace);
    this.decoded.clear();
  }

  #encoded(name: string): string | null {
    const { changes, wishes } = this.draft;
    const change = changes.get(name);
    if (change) return change.value;
    return wishes.replace && !wishes.replace.keep.has(name) ? null : this.#view.current(name);
  }

  #decode(key: Key, encoded: string): unknown {
    try {
      const value = freezeInDevelopment(decode(encoded, key.name));
      if (value !== undefined) return value;
    } catch {
      // Told below, as what is superjson of nothing.
    }
    // What this process has encoded it decodes; so it is the store's.
    throw unreadable(this.#view.identify(), key.name);
  }
}
