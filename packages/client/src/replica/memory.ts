import {
  type AnyDefinition,
  applyOp,
  decode,
  freezeInDevelopment,
  isSessionError,
  type Key,
  type Note,
  type Op,
  valueSum,
} from "@catnap/shared";
import type { BaseEntry } from "./delta.ts";
import { call, type Listeners, listen, report } from "./listeners.ts";

/** An op together with the tab that made it. */
export interface Pending extends Op {
  readonly writer: string;
}

/** Under this name, which is no key's, one subscribes to the status. */
export const statusName = "";

/**
 * What the tab shows: the server's entries with all unacknowledged ops on top, in the order in which the server will
 * decide them. Changes are gathered; `settle` then works out the touched keys and tells their subscribers, so that
 * nobody sees a state between.
 */
export class Memory {
  readonly base: Map<string, BaseEntry> = new Map();
  readonly decoded: Map<string, unknown> = new Map();
  /** How many ops are unacknowledged. */
  pending = 0;
  /** The `sum`, where it was worked out already, or came from disk with the values. */
  knownSum: number | undefined;
  readonly #definition: AnyDefinition;
  readonly #visible = new Map<string, string>();
  readonly #ops = new Map<string, readonly Pending[]>();
  readonly #touched = new Set<string>();
  readonly #subscribers = new Map<string | null, Listeners<boolean>>();

  /** By key, a value and what this page shows in its place. */
  readonly #shown = new Map<string, { readonly encoded: string; readonly shown: string | null }>();

  /** Of keys with a merge, what an op of whatever version is to this page. */
  readonly #fitting = new WeakMap<Pending, Pending>();

  constructor(definition: AnyDefinition) {
    this.#definition = definition;
  }

  /** The encoded value as shown, `null` when absent. */
  get(name: string): string | null {
    return this.#visible.get(name) ?? null;
  }

  /** The decoded value as shown; the same object until it changes. */
  read(key: Key): unknown {
    const { name } = key;
    const hit = this.decoded.get(name);
    const encoded = this.#visible.get(name);
    if (hit !== undefined || encoded === undefined) return hit;
    const shown = this.shown(key, encoded);
    if (shown === null) return undefined;
    const value = freezeInDevelopment(decode(shown, name));
    this.decoded.set(name, value);
    return value;
  }

  /**
   * A value as this page shows it: one that today's schema does not take, since the server or a sibling is of another
   * version of the app, is migrated, or as good as absent.
   */
  shown(key: Key, encoded: string): string | null {
    const known = this.#shown.get(key.name);
    if (known?.encoded === encoded) return known.shown;
    let shown: string | null = null;
    try {
      shown = key.fit(decode(encoded, key.name));
    } catch (error) {
      // The schema's refusal is what this is for; the app should hear what its own `migrate` throws.
      if (!isSessionError(error)) report(error);
    }
    this.#shown.set(key.name, { encoded, shown });
    return shown;
  }

  /** What a change had set, of which a note tells. One that was rejected fits no schema, and may be no encoded value at all. */
  mine({ key: name, what }: Pick<Note, "key" | "what">, encoded: string | null | undefined): unknown {
    const key = what === "rejected" ? undefined : this.key(name);
    try {
      const shown = key && encoded != null ? this.shown(key, encoded) : encoded;
      return shown == null ? undefined : decode(shown, name);
    } catch {
      return undefined;
    }
  }

  /** The tab itself has made this change: it fits. */
  trust(op: Pending): void {
    this.#fitting.set(op, op);
    const { key, value } = op;
    if (value !== null) this.#shown.set(key, { encoded: value, shown: value });
  }

  names(): string[] {
    return [...this.#visible.keys()];
  }

  /** The unacknowledged ops of a key, in order. */
  ops(name: string): readonly Pending[] {
    return this.#ops.get(name) ?? [];
  }

  all(): Pending[] {
    return [...this.#ops.values()].flat();
  }

  /** The key, unless the definition has none of this name that the browser may see. */
  key(name: string): Key | undefined {
    const key = this.#definition.keys.get(name);
    return key?.access === "secret" ? undefined : key;
  }

  /** Adds an op; one of a key without a merge takes the place of its writer's earlier ones. Adding twice is adding once. */
  add(op: Pending): void {
    const key = this.key(op.key);
    // One of a page of another version, whose browsers might write it, is the server's alone here.
    if (key?.access !== "shared") return;
    const others = this.ops(op.key).filter(
      ({ writer, seq }) => writer !== op.writer || (key.merge ? seq !== op.seq : seq > op.seq),
    );
    // Equal seqs of two writers need an order that all tabs agree on.
    const ops = [...others, op].sort((a, b) => a.seq - b.seq || (a.writer < b.writer ? -1 : 1));
    this.#put(op.key, ops);
  }

  #put(name: string, ops: readonly Pending[]): void {
    this.pending += ops.length - this.ops(name).length;
    this.#ops.set(name, ops);
    this.#touched.add(name);
  }

  /** Forgets the ops for which `test` holds, of one key or of all, and gives them. */
  remove(test: (op: Pending) => boolean, names: Iterable<string> = this.#ops.keys()): Pending[] {
    const removed: Pending[] = [];
    for (const name of names) {
      const ops = this.ops(name);
      const gone = ops.filter(test);
      if (gone.length === 0) continue;
      removed.push(...gone);
      this.#put(
        name,
        ops.filter((op) => !test(op)),
      );
    }
    return removed;
  }

  /** Takes the server's entry unless the one at hand is newer. */
  setBase(name: string, entry: BaseEntry): void {
    const old = this.base.get(name);
    if (!this.key(name) || entry.rev < (old?.rev ?? 0)) return;
    if (this.knownSum !== undefined) this.knownSum += valueSum(name, entry.value) - valueSum(name, old?.value);
    this.base.set(name, entry);
    this.#touched.add(name);
  }

  /** What the checksum of the server's values is made of. Worked out once; from then on each change adds its difference. */
  get sum(): number {
    if (this.knownSum === undefined) {
      this.knownSum = 0;
      for (const [name, { value }] of this.base) this.knownSum += valueSum(name, value);
    }
    return this.knownSum;
  }

  /** Forgets the server's entries, or those for which `test` holds. */
  clearBase(test: (name: string) => boolean = () => true): void {
    this.knownSum = undefined;
    for (const name of [...this.base.keys()].filter(test)) {
      this.#touched.add(name);
      this.base.delete(name);
      this.#shown.delete(name);
    }
  }

  /** Works out what changed and tells each subscriber once, and whether it is `news`: what a page may show when it has the time. */
  settle(news = false): void {
    const notify = new Set<(news: boolean) => void>();
    const tell = (name: string | null) => {
      for (const listener of this.#subscribers.get(name) ?? []) notify.add(listener);
    };
    for (const name of this.#touched) {
      const encoded = this.#work(name);
      if (encoded === this.get(name)) continue;
      if (encoded === null) this.#visible.delete(name);
      else this.#visible.set(name, encoded);
      this.decoded.delete(name);
      tell(name);
      tell(null);
    }
    this.#touched.clear();
    for (const listener of notify) call(() => listener(news));
  }

  /** Calls `listener` when the key's value changes, or any key's for `null`. */
  subscribe(name: string | null, listener: (news: boolean) => void): () => void {
    const listeners: Listeners<boolean> = this.#subscribers.get(name) ?? new Set();
    this.#subscribers.set(name, listeners);
    return listen(listeners, listener);
  }

  /** Calls those who have subscribed to `statusName`. */
  tellStatus(): void {
    for (const listener of this.#subscribers.get(statusName) ?? []) call(() => listener(true));
  }

  /** An op of a key with a merge as this page's schema has it; `undefined` where that rejects its value. */
  #fitted(key: Key, op: Pending): Pending | undefined {
    let fitted = this.#fitting.get(op);
    if (!fitted) {
      const { value, from } = op;
      fitted = { ...op, value: value && this.shown(key, value), ...(from && { from: this.shown(key, from) }) };
      this.#fitting.set(op, fitted);
    }
    return fitted.value === null && op.value !== null ? undefined : fitted;
  }

  #work(name: string): string | null {
    let value = this.base.get(name)?.value ?? null;
    const ops = this.ops(name);
    // Most of ten thousand keys have none, and this is what the first value of a page waits for.
    const key = ops[0] && this.key(name);
    if (!key) return value;
    // No merge should be shown what is no value of today's; the server does the same.
    if (key.merge && value !== null) value = this.shown(key, value);
    for (const op of ops) {
      try {
        const fitting = key.merge ? this.#fitted(key, op) : op;
        if (fitting) value = applyOp(key, fitting, value);
      } catch (error) {
        // The schema rejects what the merge made of it: so will the server, which then tells in a note.
        void error;
      }
    }
    return value;
  }
}
