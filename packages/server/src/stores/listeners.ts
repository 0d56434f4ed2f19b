import type { StoreKey, Unsubscribe } from "./store.ts";

type Listener = (rev: number) => void;

/** Who listens to which session, and what each session's listeners were told last. */
export class Listeners {
  readonly #listeners = new Map<StoreKey, Set<Listener>>();
  readonly #told = new Map<StoreKey, number>();

  get size(): number {
    return this.#listeners.size;
  }

  keys(): StoreKey[] {
    return [...this.#listeners.keys()];
  }

  /** `last` runs when nobody listens to the session any more. */
  add(key: StoreKey, listener: Listener, last: () => void): Unsubscribe {
    const listeners = this.#listeners.get(key) ?? new Set();
    this.#listeners.set(key, listeners);
    // Wrapped, so that a function that watches twice is called twice and leaves one by one.
    const own: Listener = (rev) => listener(rev);
    listeners.add(own);
    return () => {
      if (!listeners.delete(own) || listeners.size > 0 || this.#listeners.get(key) !== listeners) return;
      this.#listeners.delete(key);
      this.#told.delete(key);
      last();
    };
  }

  /**
   * Tells a session's revision, 0 when it has ended. One that is lower than the last is told too: a failover or a restored
   * backup may have taken the session back. Each listener has a microtask of its own: one that throws harms neither us nor
   * its neighbours.
   */
  tell(key: StoreKey, rev: number): void {
    const listeners = this.#listeners.get(key);
    if (!listeners || this.#told.get(key) === rev) return;
    this.#told.set(key, rev);
    for (const listener of listeners) queueMicrotask(() => listeners.has(listener) && listener(rev));
  }

  /** Tells what a read has found, unless there was news since it began, which are the later ones. */
  async look(keys: readonly StoreKey[], read: () => Promise<ReadonlyMap<StoreKey, number>>): Promise<void> {
    const before = keys.map((key) => this.#told.get(key));
    const found = await read();
    keys.forEach((key, i) => {
      if (this.#told.get(key) === before[i]) this.tell(key, found.get(key) ?? 0);
    });
  }

  clear(): void {
    this.#listeners.clear();
    this.#told.clear();
  }
}
