import type { SessionRecord, SessionStore, Touch } from "../store.ts";

/**
 * Access times and transaction counts of requests that changed nothing, written behind, in groups, so that reading
 * costs no write. Never later than a tenth of a session's timeout; and at once when the stored access time would let the
 * session expire before that, since any process may sweep it then.
 */
export class AccessTimes {
  readonly #store: SessionStore;
  readonly #intervalMs: number;
  readonly #report: (error: unknown) => void;
  #pending = new Map<string, Touch>();
  #timer: NodeJS.Timeout | null = null;
  #dueAt = Number.POSITIVE_INFINITY;

  constructor(store: SessionStore, intervalMs: number, report: (error: unknown) => void) {
    this.#store = store;
    this.#intervalMs = intervalMs;
    this.#report = report;
  }

  /** Notes an access. Returns a promise when it had to be written at once. */
  add(record: SessionRecord, accessedAt: number): Promise<void> | undefined {
    const { identifier: key, timeoutMs } = record;
    const earlier = this.#pending.get(key);
    const delayMs = Math.min(this.#intervalMs, timeoutMs / 10);
    if (!earlier && record.accessedAt + timeoutMs - accessedAt <= delayMs) {
      return this.#store.touch([{ key, accessedAt, transactions: 1 }]);
    }
    this.#keep({ key, accessedAt, transactions: 1 });
    this.#schedule(delayMs);
    return undefined;
  }

  /** The record as it will be once what waits here is written. */
  ahead(record: SessionRecord): SessionRecord {
    const waiting = this.#pending.get(record.identifier);
    if (!waiting) return record;
    return {
      ...record,
      accessedAt: Math.max(record.accessedAt, waiting.accessedAt),
      transactions: record.transactions + waiting.transactions,
    };
  }

  forget(key: string): void {
    this.#pending.delete(key);
  }

  /** Writes what waits. What the store did not take waits on, for the next flush. */
  async flush(): Promise<void> {
    this.stop();
    const touches = [...this.#pending.values()];
    if (touches.length === 0) return;
    this.#pending = new Map();
    try {
      await this.#store.touch(touches);
    } catch (error) {
      // Somebody's last use would be forgotten, and the session expire early. Counted twice at worst: a call that was cut off may be in.
      for (const touch of touches) this.#keep(touch);
      this.#schedule(this.#intervalMs);
      throw error;
    }
  }

  #keep({ key, accessedAt, transactions }: Touch): void {
    const later = this.#pending.get(key);
    this.#pending.set(key, {
      key,
      accessedAt: Math.max(accessedAt, later?.accessedAt ?? 0),
      transactions: transactions + (later?.transactions ?? 0),
    });
  }

  /** Nothing is written until the next access. */
  stop(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#dueAt = Number.POSITIVE_INFINITY;
  }

  /** One timer for all, moved forward only for a session that cannot wait that long; it keeps no process alive. */
  #schedule(delayMs: number): void {
    if (this.#dueAt <= performance.now() + delayMs) return;
    if (this.#timer) clearTimeout(this.#timer);
    this.#dueAt = performance.now() + delayMs;
    this.#timer = setTimeout(() => void this.flush().catch(this.#report), delayMs);
    this.#timer.unref();
  }
}
