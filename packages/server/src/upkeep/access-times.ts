import { after, type Cancel } from "@catnap/shared";
import type { SessionRecord, SessionStore, Touch } from "../stores/store.ts";

const leastRetryMs = 1_000;

/** A touch that waits here, and the access time that the store had when it was last asked. */
interface Waiting extends Touch {
  readonly restingAt: number;
}

/**
 * Access times and transaction counts of requests that changed nothing. They are written in groups, a while later, so that
 * reading costs few writes. An access is written at once, by the request itself, where the store's time is older than the
 * interval: a process that stands still between requests, or whose clock is not the timers', loses no more than that.
 * The interval is never more than a tenth of a session's timeout.
 */
export class AccessTimes {
  readonly #store: SessionStore;
  readonly #intervalMs: number;
  readonly #report: (error: unknown) => void;
  readonly #waitUntil: ((work: Promise<unknown>) => void) | undefined;
  #waiting = new Map<string, Waiting>();
  readonly #underWay = new Set<string>();
  #cancel: Cancel | null = null;
  #dueAt = Number.POSITIVE_INFINITY;

  /** `report` is told of writes that failed; they are tried again. `waitUntil` takes those that no answer has to wait for. */
  constructor(
    store: SessionStore,
    intervalMs: number,
    report: (error: unknown) => void,
    waitUntil?: (work: Promise<unknown>) => void,
  ) {
    this.#store = store;
    this.#intervalMs = intervalMs;
    this.#report = report;
    this.#waitUntil = waitUntil;
  }

  /** Notes an access. Returns a promise when it has to be written at once; it never rejects, since no request fails for it. */
  add(record: SessionRecord, accessedAt: number): Promise<void> | undefined {
    const { identifier: key, timeoutMs } = record;
    const restingAt = this.#waiting.get(key)?.restingAt ?? record.accessedAt;
    const delayMs = Math.min(this.#intervalMs, timeoutMs / 10);
    this.#keep({ key, accessedAt, transactions: 1, restingAt });
    if (accessedAt - restingAt >= delayMs && !this.#underWay.has(key)) return this.#whileAnswered(this.#write(key));
    // Where timers run, groups are written before anybody has to write alone.
    this.#schedule(delayMs / 2);
    return undefined;
  }

  #whileAnswered(writing: Promise<void>): Promise<void> | undefined {
    if (!this.#waitUntil) return writing;
    try {
      this.#waitUntil(writing);
      return undefined;
    } catch (error) {
      // Some platforms have no request to prolong here. The answer waits, as without it.
      this.#report(error);
      return writing;
    }
  }

  /** The record as it will be once what waits here is written. */
  ahead(record: SessionRecord): SessionRecord {
    const waiting = this.#waiting.get(record.identifier);
    if (!waiting) return record;
    this.#waiting.set(record.identifier, { ...waiting, restingAt: Math.max(waiting.restingAt, record.accessedAt) });
    return {
      ...record,
      accessedAt: Math.max(record.accessedAt, waiting.accessedAt),
      transactions: record.transactions + waiting.transactions,
    };
  }

  forget(key: string): void {
    this.#waiting.delete(key);
  }

  /** Writes what waits. What the store did not take waits on, for the next flush. */
  async flush(): Promise<void> {
    this.stop();
    const touches = [...this.#waiting.values()];
    if (touches.length === 0) return;
    this.#waiting = new Map();
    try {
      await this.#store.touch(touches.map(({ restingAt: _, ...touch }) => touch));
    } catch (error) {
      this.#putBack(touches);
      throw error;
    }
  }

  /** Nothing is written until the next access. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
    this.#dueAt = Number.POSITIVE_INFINITY;
  }

  async #write(key: string): Promise<void> {
    const waiting = this.#waiting.get(key);
    if (!waiting) return;
    this.#waiting.delete(key);
    this.#underWay.add(key);
    const { restingAt: _, ...touch } = waiting;
    try {
      await this.#store.touch([touch]);
    } catch (error) {
      this.#putBack([waiting]);
      this.#report(error);
    } finally {
      this.#underWay.delete(key);
    }
  }

  /** Somebody's last use would be forgotten, and the session expire early. Counted twice at worst: a call that was cut off may be in. */
  #putBack(touches: readonly Waiting[]): void {
    for (const touch of touches) this.#keep(touch);
    this.#schedule(Math.max(this.#intervalMs, leastRetryMs));
  }

  #keep({ key, accessedAt, transactions, restingAt }: Waiting): void {
    const other = this.#waiting.get(key);
    this.#waiting.set(key, {
      key,
      accessedAt: Math.max(accessedAt, other?.accessedAt ?? 0),
      transactions: transactions + (other?.transactions ?? 0),
      restingAt: other?.restingAt ?? restingAt,
    });
  }

  /** One timer for all, moved forward only for a session that cannot wait that long; it keeps no process alive. */
  #schedule(delayMs: number): void {
    if (this.#dueAt <= performance.now() + delayMs) return;
    this.#cancel?.();
    this.#dueAt = performance.now() + delayMs;
    this.#cancel = after(delayMs, () => void this.flush().catch(this.#report), true);
  }
}
